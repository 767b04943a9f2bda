"""The stages of the pipeline: one module per stage of ``dvc.yaml``, in the order of that file."""

from stages.core.seeds import pin_environment

# Before anything imports numpy or torch: their kernels are chosen when they load.
pin_environment()
