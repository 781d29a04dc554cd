"""What the service remembers: policies, plans, the journal of each item, holds, the audit log."""
