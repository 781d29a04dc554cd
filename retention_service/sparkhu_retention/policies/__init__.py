"""What is kept for how long: policies, their versions, and which of them an item falls under."""
