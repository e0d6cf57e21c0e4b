"""PyTorch: modules, its losses and fused optimizers, inference mode."""

from __future__ import annotations

import numpy as np
import torch

from ..workloads import Data, Workload
from .serving import CannotEnterError, Contestant, serve

ACTIVATIONS = {
    "relu": torch.nn.ReLU,
    "tanh": torch.nn.Tanh,
    "logistic": torch.nn.Sigmoid,
    "identity": torch.nn.Identity,
}


def half_squared_error(a: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return 0.5 / len(a) * torch.nn.functional.mse_loss(a, t, reduction="sum")


LOSSES = {
    "softmax_cross_entropy": torch.nn.functional.cross_entropy,
    "mean_squared_error": torch.nn.functional.mse_loss,
    "half_squared_error": half_squared_error,
}


class WithTorch(Contestant):
    """`torch.nn.Sequential` on one thread."""

    def __init__(self, workload: Workload, data: Data) -> None:
        if workload.dropout:
            raise CannotEnterError("not written for dropout")
        torch.set_num_threads(workload.threads)
        torch.set_num_interop_threads(1)
        self.workload = workload
        self.model = self._model(data)
        self.loss = LOSSES[workload.loss]
        self.x = torch.from_numpy(data.x)
        self.t = torch.from_numpy(data.classes if workload.loss == "softmax_cross_entropy" else data.t)
        kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[workload.optimizer]
        self.optimizer = kind(self.model.parameters(), lr=workload.learning_rate, fused=True)

    def _model(self, data: Data) -> torch.nn.Sequential:
        modules: list[torch.nn.Module] = []
        last = len(data.parameters) - 1
        for i, (w, b) in enumerate(data.parameters):
            linear = torch.nn.Linear(*w.shape, dtype=torch.from_numpy(w).dtype)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(w.T))
                linear.bias.copy_(torch.from_numpy(b))
            name = self.workload.output_activation if i == last else self.workload.activation
            modules.append(linear)
            if name == "softmax":
                # The loss takes the softmax itself.
                modules += [torch.nn.Softmax(dim=1)] if self.workload.predict else []
            elif name != "identity":
                modules.append(ACTIVATIONS[name]())
        return torch.nn.Sequential(*modules)

    @property
    def version(self) -> str:
        return str(torch.__version__)

    def run(self, passes: int) -> None:
        if self.workload.predict:
            with torch.inference_mode():
                for _ in range(passes):
                    self.output = self.model(self.x)
            return
        batch = self.workload.batch
        for _ in range(passes):
            for x, t in zip(self.x.split(batch), self.t.split(batch), strict=True):
                self.optimizer.zero_grad(set_to_none=True)
                self.loss(self.model(x), t).backward()
                self.optimizer.step()

    def result(self) -> list[np.ndarray]:
        if self.workload.predict:
            return [self.output.numpy()]
        linear = [module for module in self.model if isinstance(module, torch.nn.Linear)]
        arrays = [(module.weight.detach().numpy().T, module.bias.detach().numpy()) for module in linear]
        return [array for layer in arrays for array in layer]


if __name__ == "__main__":
    serve(WithTorch)
