"""JAX as its own advice has it: everything jitted, the loop over batches a scan, parameters donated."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..workloads import Data, Workload
from .serving import CannotEnterError, Contestant, serve

ACTIVATIONS = {
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "logistic": jax.nn.sigmoid,
    "identity": lambda z: z,
    "softmax": jax.nn.softmax,
}


def forward(parameters: Any, x: jax.Array, workload: Workload, output_activation: str) -> jax.Array:
    last = len(parameters) - 1
    for i, (w, b) in enumerate(parameters):
        x = ACTIVATIONS[output_activation if i == last else workload.activation](x @ w + b)
    return x


def loss(parameters: Any, x: jax.Array, t: jax.Array, workload: Workload) -> jax.Array:
    """Of one batch; t is classes where the loss is a cross-entropy."""
    if workload.loss == "softmax_cross_entropy":
        z = forward(parameters, x, workload, "identity")
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(z), t[:, None], axis=1))
    error = forward(parameters, x, workload, workload.output_activation) - t
    if workload.loss == "half_squared_error":
        return 0.5 * jnp.sum(error * error) / len(x)
    return jnp.mean(error * error)


def adam(parameters: Any, gradients: Any, state: Any, rate: float, beta1: float = 0.9, beta2: float = 0.999) -> Any:
    first, second, steps = state
    steps = steps + 1
    first = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, first, gradients)
    second = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, second, gradients)
    scale, root = rate / (1 - beta1**steps), jnp.sqrt(1 - beta2**steps)

    def moved(p: jax.Array, m: jax.Array, v: jax.Array) -> jax.Array:
        return p - scale * m / (jnp.sqrt(v) / root + 1e-8)

    return jax.tree.map(moved, parameters, first, second), (first, second, steps)


def step(carry: Any, batch: Any, workload: Workload) -> Any:
    parameters, state = carry
    gradients = jax.grad(loss)(parameters, *batch, workload)
    if workload.optimizer == "adam":
        return adam(parameters, gradients, state, workload.learning_rate), None
    return (jax.tree.map(lambda p, g: p - workload.learning_rate * g, parameters, gradients), state), None


@partial(jax.jit, static_argnames="workload", donate_argnames="carry")
def train(carry: Any, batches: Any, passes: Any, workload: Workload) -> Any:
    """All passes in one call, so that no step waits for Python; a step of all networks is one of vmap's."""
    one = partial(step, workload=workload)
    if workload.members > 1:
        one = jax.vmap(one, in_axes=(0, None))
    return lax.fori_loop(0, passes, lambda _, carry: lax.scan(one, carry, batches)[0], carry)


@partial(jax.jit, static_argnames="workload")
def predict(parameters: Any, x: Any, workload: Workload) -> jax.Array:
    return forward(parameters, x, workload, workload.output_activation)


class WithJax(Contestant):
    """`jit` and `lax.scan` on one thread, and `vmap` over networks."""

    def __init__(self, workload: Workload, data: Data) -> None:
        if workload.dropout:
            raise CannotEnterError("not written for dropout")
        if workload.dtype == "float64":
            jax.config.update("jax_enable_x64", True)
        self.workload = workload
        self.x = data.x
        parameters = [(jnp.array(w), jnp.array(b)) for w, b in data.parameters]
        if workload.members > 1:
            parameters = jax.tree.map(lambda p: jnp.tile(p, (workload.members, *(1,) * p.ndim)), parameters)
        zeros = partial(jax.tree.map, jnp.zeros_like, parameters)
        self.carry = (parameters, (zeros(), zeros(), 0) if workload.optimizer == "adam" else ())
        t = data.classes.astype(np.int32) if workload.loss == "softmax_cross_entropy" else data.t
        shape = (workload.rows // workload.batch, workload.batch)
        self.batches = (jnp.array(data.x.reshape(*shape, -1)), jnp.array(t.reshape(*shape, *t.shape[1:])))

    @property
    def version(self) -> str:
        return jax.__version__

    def run(self, passes: int) -> None:
        if self.workload.predict:
            for _ in range(passes):
                self.output = np.asarray(predict(self.carry[0], self.x, self.workload))
        else:
            self.carry = jax.block_until_ready(train(self.carry, self.batches, passes, self.workload))

    def result(self) -> list[np.ndarray]:
        if self.workload.predict:
            return [self.output]
        last = (-1,) if self.workload.members > 1 else ()
        return [np.asarray(array[last]) for layer in self.carry[0] for array in layer]


if __name__ == "__main__":
    serve(WithJax)
