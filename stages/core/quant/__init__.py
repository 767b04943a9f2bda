"""Quantisation: the quantizer, calibration, PTQ and QAT."""

import logging
import warnings

# torchao looks for GPU extensions and remarks on torch's internals as it loads; neither concerns a user.
logging.getLogger("torchao").setLevel(logging.ERROR)
logging.getLogger("torch.utils._pytree").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", message=".*treespec.*", category=FutureWarning)
