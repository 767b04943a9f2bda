import os

# A record of its own for every folder that a test works in would cost more than what is tested.
os.environ["MLFLOW_TRACKING_URI"] = "none"
