"""The storages whose data are retained, each behind `sparkhu_retention.storages.protocol.RetainedStorage`."""
