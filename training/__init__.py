"""From a dataset to a bundle: encoder, network, fitting, calibration, evaluation and export.

The only room that knows torch.
"""
