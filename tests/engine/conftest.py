"""Small tensors only: one thread is fastest, and leaves the other cores to the other tests."""

import torch

torch.set_num_threads(1)
