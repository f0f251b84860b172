"""The contract of the house: taxonomy, mention, tag and bundle; text preparation, ONNX inference and decoding.

This room imports neither torch nor transformers: it is all that serving needs to run a model.
"""
