"""Training on several processes: what they tell each other, the jobs that they are given, and what starts them."""
