"""What still needs the data: lineage of models, open backfills, holds, downsamples that are not verified."""
