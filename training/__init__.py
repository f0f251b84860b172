"""From a dataset to a bundle: encoder, network, fitting, calibration, evaluation and export.

The only room that knows torch.
"""

import model  # noqa: F401  before this room's modules import ONNX Runtime, since it stops its reports
