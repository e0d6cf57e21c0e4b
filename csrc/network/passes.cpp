#include "network/passes.hpp"

#include <algorithm>
#include <cstring>

namespace backpropc {

namespace {

// Rows that are taken at a time where any number may come: enough to use every row of w often, few enough for the cache.
std::size_t block_rows(std::size_t widest) {
  constexpr std::size_t elements = 1 << 16;
  return std::clamp<std::size_t>(elements / std::max<std::size_t>(widest, 1), 16, 512);
}

// Memory that one thread uses again and again, for calls that are too short to allocate.
template <class T>
T* thread_scratch(std::size_t count) {
  thread_local Buffer<T> scratch;
  scratch.reserve(count);
  return scratch.data();
}

// Where the targets of n samples stand as rows: in place, or written out as rows of 0 and 1.
template <class T>
const T* as_rows(TargetRows<T> t, std::size_t n, std::size_t columns, T* one_hot) {
  if (t.rows != nullptr) return t.rows;
  std::fill_n(one_hot, n * columns, T(0));
  for (std::size_t i = 0; i < n; ++i) {
    const auto c = static_cast<std::size_t>(t.classes[i]);
    if (c < columns) one_hot[i * columns + c] = T(1);  // checked before, but the caller's array may have changed since
  }
  return one_hot;
}

template <class T>
TargetRows<T> from_row(TargetRows<T> t, std::size_t row, std::size_t columns) {
  return {t.rows ? t.rows + row * columns : nullptr, t.classes ? t.classes + row : nullptr};
}

template <class T>
double weighted_sum(std::size_t n, const T* loss, const T* weight) {
  double total = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    if (weight && weight[i] == T(0)) continue;  // E may be infinite
    total += static_cast<double>(loss[i]) * (weight ? static_cast<double>(weight[i]) : 1.0);
  }
  return total;
}

// Calls f(i) for each of n samples that weighs nothing.
template <class T, class F>
void for_each_weightless(std::size_t n, const T* weight, F f) {
  for (std::size_t i = 0; weight && i < n; ++i)
    if (weight[i] == T(0)) f(i);
}

// A sample that weighs nothing must not count even where its numbers are not finite: 0·∞ would be NaN.
template <class T>
void forget_sample(const Network<T>& network, std::size_t i, Workspace<T>& ws) {
  const auto clear = [i](T* rows, std::size_t columns) {
    if (rows != nullptr) std::fill_n(rows + i * columns, columns, T(0));
  };
  for (std::size_t l = 0; l < network.layers().size(); ++l) {
    const Layer& layer = network.layers()[l];
    clear(ws.z(l), layer.fan_out);
    clear(ws.a(l), layer.fan_out);
    if (ws.mask(l) != nullptr) clear(ws.masked(l), layer.fan_in);
  }
}

// E of each of n samples from a forward pass in the workspace, and ∇ₐE into `gradient` (δ, where E has a stable form), unless
// that is null.
template <class T>
void loss_pass(const Network<T>& network, const Choice& loss, std::size_t n, TargetRows<T> t, const T* weight, T scale,
               T* gradient, Workspace<T>& ws) {
  const std::size_t last = network.layers().size() - 1, m = network.fan_out();
  const T* const targets = as_rows(t, n, m, ws.one_hot());
  if (loss.custom != nullptr)
    return custom_loss(*loss.custom, LossPass<T>{n, m, nullptr, ws.a(last), targets, weight, scale, ws.sample_loss(),
                                                 gradient, nullptr});
  const LossKernels<T>& k = kernels<T>().losses[loss.index];
  const auto pass = has_stable_form(network, loss) ? k.of_z : k.of_a;
  const auto from = [](auto* p, std::size_t at) { return p == nullptr ? nullptr : p + at; };
  for_each_block_of_rows(n, 16 * m, [&](std::size_t row, std::size_t rows) {
    const std::size_t at = row * m;
    pass({rows, m, from(ws.z(last), at), ws.a(last) + at, targets + at, from(weight, row), scale,
          ws.sample_loss() + row, from(gradient, at), &loss.parameters});
  });
}

// out = x ⊙ mask; out may be x.
template <class T>
void multiply_rows(std::size_t n, std::size_t columns, const T* x, const T* mask, T* out) {
  for_each_block_of_rows(n, columns, [&](std::size_t row, std::size_t rows) {
    const std::size_t at = row * columns;
    kernels<T>().multiply(rows * columns, x + at, mask + at, out + at);
  });
}

template <class T>
std::size_t longest(const Network<T>& network, std::size_t rows) {
  return std::max({rows, network.fan_in(), network.widest()});
}

// n rows through all layers; `hidden` holds two rows-by-widest arrays of so many elements, and scratch.
template <class T>
void predict_block(const Network<T>& network, const T* x, std::size_t n, T* out, T* hidden, std::size_t size) {
  const KernelTable<T>& k = kernels<T>();
  const std::size_t n_layers = network.layers().size();
  for (std::size_t l = 0; l < n_layers; ++l) {
    const Layer& layer = network.layers()[l];
    T* const to = l + 1 == n_layers ? out : hidden + l % 2 * size;
    k.product.forward(layer.shape(n), {0, n, 0, layer.fan_out}, x, network.w(layer), network.b(layer), to,
                      hidden + 2 * size);
    k.activations[layer.activation.index].forward(n, layer.fan_out, to, to, layer.activation.parameters);
    x = to;
  }
}

// The same as predict, one layer after the other, with tasks that are parts of a layer: no task calls a function of the
// caller's own.
template <class T>
void predict_by_layers(const Network<T>& network, const T* x, std::size_t n, T* out, const Stop& stop) {
  const std::size_t rows = std::min(n, block_rows(network.widest())), n_layers = network.layers().size();
  Scratch<T> scratch(longest(network, rows), longest(network, rows));
  Buffer<T> hidden[2] = {Buffer<T>(rows * network.widest()), Buffer<T>(rows * network.widest())};
  for (std::size_t begin = 0; begin < n && !stop(); begin += rows) {
    const std::size_t block = std::min(rows, n - begin);
    const T* from = x + begin * network.fan_in();
    for (std::size_t l = 0; l < n_layers; ++l) {
      const Layer& layer = network.layers()[l];
      T* const to = l + 1 == n_layers ? out + begin * network.fan_out() : hidden[l % 2].data();
      dense_forward(layer.shape(block), from, network.w(layer), network.b(layer), layer.activation, to, to, scratch);
      from = to;
    }
  }
}

}  // namespace

template <class T>
Workspace<T>::Workspace(const Network<T>& network, const Choice& loss, std::size_t rows, Keep keep)
    : rows_(rows),
      one_hot_(rows * network.fan_out()),
      sample_loss_(rows),
      scratch_(longest(network, rows), longest(network, rows)) {
  const std::size_t last = network.layers().size() - 1;
  for (std::size_t l = 0; l <= last; ++l) {
    const Layer& layer = network.layers()[l];
    const bool z_is_read = keep == Keep::every_z || derivative_reads_z<T>(layer.activation) ||
                           (l == last && has_stable_form(network, loss));
    z_.emplace_back(z_is_read ? rows * layer.fan_out : 0);
    a_.emplace_back(rows * layer.fan_out);
    delta_.emplace_back(rows * layer.fan_out);
  }
  mask_.resize(last + 1);
  masked_.resize(last + 1);
}

template <class T>
void forward(const Network<T>& network, const T* x, std::size_t n, Workspace<T>& ws) {
  for (std::size_t l = 0; l < network.layers().size(); ++l) {
    const Layer& layer = network.layers()[l];
    T* const z = ws.z(l) != nullptr ? ws.z(l) : ws.a(l);
    if (ws.mask(l) != nullptr) multiply_rows(n, layer.fan_in, l == 0 ? x : ws.a(l - 1), ws.mask(l), ws.masked(l));
    dense_forward(layer.shape(n), ws.input(l, x), network.w(layer), network.b(layer), layer.activation, z, ws.a(l),
                  ws.scratch());
  }
}

template <class T>
double output_error(const Network<T>& network, const Choice& loss, std::size_t n, TargetRows<T> t, const T* weight,
                    T scale, Workspace<T>& ws) {
  const std::size_t last = network.layers().size() - 1, m = network.fan_out();
  for_each_weightless(n, weight, [&](std::size_t i) { forget_sample(network, i, ws); });
  loss_pass(network, loss, n, t, weight, scale, ws.delta(last), ws);
  for_each_weightless(n, weight, [&](std::size_t i) { std::fill_n(ws.delta(last) + i * m, m, T(0)); });
  if (!has_stable_form(network, loss))
    activation_backward(n, m, ws.delta(last), ws.z(last), ws.a(last), ws.delta(last),
                        network.layers()[last].activation);
  return weighted_sum(n, ws.sample_loss(), weight);
}

template <class T>
void error_below(const Network<T>& network, std::size_t l, std::size_t n, Workspace<T>& ws) {
  const Layer& layer = network.layers()[l];
  dense_error_below(layer.shape(n), ws.delta(l), network.w(layer), ws.mask(l), network.layers()[l - 1].activation,
                    ws.z(l - 1), ws.a(l - 1), ws.delta(l - 1), ws.scratch());
}

// Blocks of rows go through all layers one after the other, each in memory of the task's own.
template <class T>
void predict(const Network<T>& network, const T* x, std::size_t n, T* out, const Stop& stop) {
  if (network.has_custom()) return predict_by_layers(network, x, n, out, stop);
  const std::size_t tasks = std::min(tasks_for(n * network.n_parameters(), num_threads()), std::max<std::size_t>(n, 1));
  const std::size_t rows = std::min((n + tasks - 1) / tasks, block_rows(network.widest()));
  const std::size_t between = rows * network.widest(), panels = product_scratch(rows, longest(network, 1));
  for (std::size_t begin = 0; begin < n && !stop(); begin += tasks * rows) {
    // Asked for anew each time: a signal's handler, which stop() runs, may predict too and move it.
    T* const scratch = thread_scratch<T>(tasks * (panels + 2 * between));
    parallel_for(tasks, [&](std::size_t task) noexcept {
      const std::size_t from = begin + task * rows;
      if (from < n)
        predict_block(network, x + from * network.fan_in(), std::min(rows, n - from), out + from * network.fan_out(),
                      scratch + task * (panels + 2 * between), between);
    });
  }
}

template <class T>
double mean_loss(const Network<T>& network, const Choice& loss, const T* x, std::size_t n, TargetRows<T> t,
                 Workspace<T>& ws, const Stop& stop) {
  double total = 0.0;
  for (std::size_t begin = 0; begin < n && !stop(); begin += ws.rows()) {
    const std::size_t block = std::min(ws.rows(), n - begin);
    forward(network, x + begin * network.fan_in(), block, ws);
    loss_pass(network, loss, block, from_row(t, begin, network.fan_out()), static_cast<const T*>(nullptr), T(1),
              static_cast<T*>(nullptr), ws);
    total += weighted_sum<T>(block, ws.sample_loss(), nullptr);
  }
  return total / static_cast<double>(n);
}

template <class T>
std::size_t evaluation_rows(const Network<T>& network, std::size_t n) {
  return std::min(n, block_rows(std::max(network.widest(), network.fan_in())));
}

template <class T>
Workspace<T> evaluation_workspace(const Network<T>& network, const Choice& loss, std::size_t n) {
  return Workspace<T>(network, loss, evaluation_rows(network, n));
}

template <class T>
double gradient(const Network<T>& network, const Choice& loss, const T* x, std::size_t n, TargetRows<T> t,
                const T* share, T* into, const Stop& stop) {
  Workspace<T> ws = evaluation_workspace(network, loss, n);
  const T scale = share ? T(1) : T(1) / static_cast<T>(n);
  double total = 0.0;
  for (std::size_t begin = 0; begin < n && !stop(); begin += ws.rows()) {
    const std::size_t block = std::min(ws.rows(), n - begin);
    const T* const rows = x + begin * network.fan_in();
    forward(network, rows, block, ws);
    total += output_error(network, loss, block, from_row(t, begin, network.fan_out()), share ? share + begin : nullptr,
                          scale, ws);
    backward(network, rows, block, 0, ws, [&](std::size_t l, const T* a, T* delta) {
      const Layer& layer = network.layers()[l];
      dense_gradient(layer.shape(block), a, delta, into + layer.w, into + layer.b, begin > 0, ws.scratch());
    });
  }
  for (const Layer& layer : network.layers()) apply_mask(layer, into);
  return share ? total : total / static_cast<double>(n);
}

#define BPC_INSTANTIATE(T)                                                                                         \
  template class Workspace<T>;                                                                                     \
  template void forward(const Network<T>&, const T*, std::size_t, Workspace<T>&);                                  \
  template double output_error(const Network<T>&, const Choice&, std::size_t, TargetRows<T>, const T*, T,          \
                               Workspace<T>&);                                                                     \
  template void error_below(const Network<T>&, std::size_t, std::size_t, Workspace<T>&);                           \
  template void predict(const Network<T>&, const T*, std::size_t, T*, const Stop&);                                \
  template std::size_t evaluation_rows(const Network<T>&, std::size_t);                                            \
  template Workspace<T> evaluation_workspace(const Network<T>&, const Choice&, std::size_t);                       \
  template double mean_loss(const Network<T>&, const Choice&, const T*, std::size_t, TargetRows<T>, Workspace<T>&, \
                            const Stop&);                                                                          \
  template double gradient(const Network<T>&, const Choice&, const T*, std::size_t, TargetRows<T>, const T*, T*,   \
                           const Stop&);

BPC_INSTANTIATE(float)
BPC_INSTANTIATE(double)

}  // namespace backpropc
