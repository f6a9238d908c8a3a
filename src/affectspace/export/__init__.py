"""Models for other programs: graphs of tensors, and folders as the hub has them."""

from affectspace.export.graph import Graph, Reads, graph_of
from affectspace.export.hub_folder import HubFolder, push, write_hub_folder
from affectspace.export.onnx_file import open_onnx, write_onnx
from affectspace.export.parity import Parity, made_up, parity
from affectspace.export.torch_export_file import open_torch_export, write_torch_export

__all__ = [
    "Graph", "HubFolder", "Parity", "Reads", "graph_of", "made_up", "open_onnx", "open_torch_export", "parity", "push",
    "write_hub_folder", "write_onnx", "write_torch_export",
]  # fmt: skip
