"""Networks that are not written as blocks: a module of PyTorch, a name of timm or torchvision, an ONNX file.

    names     what a user writes -> a module or a file
    modules   a module -> its graph, by one recorded forward pass
    recorder  what PyTorch does in that pass, a call at a time
    calls     a call of PyTorch -> a node of the graph: a table of `rules`, and of `convolutions` for what has weights
    onnx_file a file -> its graph, which is read and not run
    onnx_ops  an operator of ONNX -> a node of the graph: a table
    graph     what a node is
    paths     the graph -> the one path that a score sees
    chains    the path -> the chain of layers
    blocks    the chain -> a spec, where all of its layers fit blocks

To support another function or operator, add it to the table of its front end. What no table has is refused.
"""
