"""Networks, their baselines, and the loops that train and score them."""
