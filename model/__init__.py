"""The contract of the house: taxonomy, mention, tag and bundle; text preparation, ONNX inference and decoding.

This room imports neither torch nor transformers: it is all that serving needs to run a model.
"""

import os

# ONNX Runtime reports its use to its makers since 1.29, unless this stands before it is first imported. Whoever
# listens to customers must be able to say that nothing leaves the machine.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
