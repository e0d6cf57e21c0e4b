#include "training/whole_batch.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace backpropc {

namespace {

// n samples from one on.
template <class T>
Samples<T> block_of(const Network<T>& network, const Samples<T>& all, std::size_t from, std::size_t n) {
  const std::size_t m = network.fan_out();
  return {n,
          all.x + from * network.fan_in(),
          {all.t.rows ? all.t.rows + from * m : nullptr, all.t.classes ? all.t.classes + from : nullptr},
          all.weight ? all.weight + from : nullptr};
}

template <class T>
double sum_of_weights(const Samples<T>& samples) {
  if (samples.weight == nullptr) return static_cast<double>(samples.n);
  return std::accumulate(samples.weight, samples.weight + samples.n, 0.0);
}

// E, and where `at` is given BP2 with a call of at(first sample, layer, a, delta) at each layer, block by block.
template <class T, class AtLayer>
double pass(const Network<T>& network, const Choice& loss, const Samples<T>& samples, bool back, const Stop& stop,
            AtLayer at) {
  Workspace<T> ws = evaluation_workspace(network, loss, samples.n);
  const double weight = sum_of_weights(samples);
  Buffer<T> share(samples.weight != nullptr ? ws.rows() : 0);
  const T scale = samples.weight != nullptr ? T(1) : T(1) / static_cast<T>(samples.n);
  double total = 0.0;
  for (std::size_t begin = 0; begin < samples.n && !stop(); begin += ws.rows()) {
    const Samples<T> block = block_of(network, samples, begin, std::min(ws.rows(), samples.n - begin));
    for (std::size_t i = 0; i < share.size() && i < block.n; ++i) share[i] = static_cast<T>(block.weight[i] / weight);
    forward(network, block.x, block.n, ws);
    total += output_error(network, loss, block.n, block.t, share.size() > 0 ? share.data() : nullptr, scale, ws);
    if (back)
      backward(network, block.x, block.n, 0, ws,
               [&](std::size_t l, const T* a, T* delta) { at(begin, network.layers()[l], block.n, a, delta, ws); });
  }
  return samples.weight != nullptr ? total : total / weight;
}

// Rows of the matrix (J r), a block of samples at a time, and what they add to its square.
template <class T>
class ResidualRows {
 public:
  ResidualRows(const Network<T>& network, const Choice& loss, std::size_t n)
      : network_(network),
        outputs_(network.fan_out()),
        columns_(n_learning(network) + 1),
        ws_(network, loss, std::min(n, samples_at_a_time(outputs_))),
        rows_(ws_.rows() * outputs_ * columns_),
        root_(ws_.rows()),
        scratch_(std::max(rows_.size() / columns_, columns_), std::max(rows_.size() / columns_, columns_)) {}

  std::size_t samples() const { return ws_.rows(); }

  // Of samples each of whose residuals is √(factor wᵢ / weight) (aᵢⱼ − tᵢⱼ).
  void fill(const Samples<T>& block, double factor, double weight) {
    for (std::size_t i = 0; i < block.n; ++i)
      root_[i] = std::sqrt(factor * ((block.weight != nullptr ? block.weight[i] : 1.0) / weight));
    forward(network_, block.x, block.n, ws_);
    const T* const a = ws_.a(network_.layers().size() - 1);
    for (std::size_t i = 0; i < block.n; ++i)
      for (std::size_t j = 0; j < outputs_; ++j)
        row(i, j)[columns_ - 1] = root_[i] == 0.0 ? 0.0
                                                  : root_[i] * (static_cast<double>(a[i * outputs_ + j]) -
                                                                static_cast<double>(block.t.rows[i * outputs_ + j]));
    for (std::size_t j = 0; j < outputs_; ++j) fill_derivatives(block, j);
  }

  // matrix += (J r)ᵀ(J r) of the first n samples: its upper triangle, in panels of columns, and what else is in their tiles.
  void add_square(std::size_t n, double* matrix) {
    constexpr std::size_t width = 96;
    const std::size_t panels = (columns_ + width - 1) / width, tasks = std::min(panels, scratch_.tasks());
    const DenseShape shape{n * outputs_, columns_, columns_};
    parallel_for(tasks, [&](std::size_t task) noexcept {
      for (std::size_t panel = task; panel < panels; panel += tasks) {
        const std::size_t from = panel * width, to = std::min(from + width, columns_);
        kernels<double>().product.gradient(shape, {0, to, from, to - from}, rows_.data(), rows_.data(), matrix, true,
                                           scratch_.of(task));
      }
    });
  }

 private:
  // Enough for the product to read and write its result seldom.
  static std::size_t samples_at_a_time(std::size_t outputs) {
    return std::max<std::size_t>(product_depth / outputs, 1);
  }

  double* row(std::size_t sample, std::size_t output) { return rows_.data() + (sample * outputs_ + output) * columns_; }

  // ∂aᵢⱼ/∂parameters: BP1 with ∇ₐ = 1 at output j and 0 at the others, BP2, and for each sample BP3 and BP4.
  void fill_derivatives(const Samples<T>& block, std::size_t j) {
    const std::size_t last = network_.layers().size() - 1;
    T* const error = ws_.delta(last);
    std::fill_n(error, block.n * outputs_, T(0));
    for (std::size_t i = 0; i < block.n; ++i) error[i * outputs_ + j] = T(1);
    activation_backward(block.n, outputs_, error, ws_.z(last), ws_.a(last), error, network_.layers()[last].activation);
    std::size_t end = columns_ - 1;  // where the columns of the layers above begin
    backward(network_, block.x, block.n, network_.first_trainable(), ws_,
             [&](std::size_t l, const T* a, const T* delta) {
               const Layer& layer = network_.layers()[l];
               if (!layer.trainable) return;
               end -= layer.end() - layer.w;
               for_each_block_of_rows(block.n, layer.end() - layer.w, [&](std::size_t first, std::size_t n) {
                 for (std::size_t i = first; i < first + n; ++i)
                   outer_product(root_[i], layer, a + i * layer.fan_in, delta + i * layer.fan_out, row(i, j) + end);
               });
             });
  }

  static void outer_product(double root, const Layer& layer, const T* a, const T* delta, double* into) {
    if (root == 0.0) {  // where a or delta may be infinite
      std::fill_n(into, layer.end() - layer.w, 0.0);
      return;
    }
    for (std::size_t p = 0; p < layer.fan_in; ++p, into += layer.fan_out)
      for (std::size_t q = 0; q < layer.fan_out; ++q)
        into[q] = root * (static_cast<double>(a[p]) * static_cast<double>(delta[q]));
    for (std::size_t q = 0; q < layer.fan_out; ++q) into[q] = root * static_cast<double>(delta[q]);
  }

  const Network<T>& network_;
  std::size_t outputs_, columns_;
  Workspace<T> ws_;
  Buffer<double> rows_, root_;
  Scratch<double> scratch_;
};

void copy_upper_to_lower(std::size_t n, double* matrix) {
  for_each_block_of_rows(n, n, [&](std::size_t first, std::size_t rows) {
    for (std::size_t i = first; i < first + rows; ++i)
      for (std::size_t j = 0; j < i; ++j) matrix[i * n + j] = matrix[j * n + i];
  });
}

}  // namespace

template <class T>
double whole_loss(const Network<T>& network, const Choice& loss, const Samples<T>& samples, const Stop& stop) {
  return pass(network, loss, samples, false, stop,
              [](std::size_t, const Layer&, std::size_t, const T*, const T*, Workspace<T>&) {});
}

template <class T>
double whole_gradient(const Network<T>& network, const Choice& loss, const Samples<T>& samples, T* into,
                      const Stop& stop) {
  const double value =
      pass(network, loss, samples, true, stop,
           [into](std::size_t begin, const Layer& layer, std::size_t n, const T* a, const T* delta, Workspace<T>& ws) {
             dense_gradient(layer.shape(n), a, delta, into + layer.w, into + layer.b, begin > 0, ws.scratch());
           });
  for (const Layer& layer : network.layers()) apply_mask(layer, into);
  return value;
}

template <class T>
std::size_t n_learning(const Network<T>& network) {
  std::size_t n = 0;
  for (const Layer& layer : network.layers())
    if (layer.trainable) n += layer.end() - layer.w;
  return n;
}

template <class T>
void add_normal_equations(const Network<T>& network, const Choice& loss, double factor, const Samples<T>& samples,
                          double* matrix, const Stop& stop) {
  ResidualRows<T> rows(network, loss, samples.n);
  const double weight = sum_of_weights(samples);
  for (std::size_t begin = 0; begin < samples.n && !stop(); begin += rows.samples()) {
    const Samples<T> block = block_of(network, samples, begin, std::min(rows.samples(), samples.n - begin));
    rows.fill(block, factor, weight);
    rows.add_square(block.n, matrix);
  }
  copy_upper_to_lower(n_learning(network) + 1, matrix);
}

#define BPC_INSTANTIATE(T)                                                                              \
  template double whole_loss(const Network<T>&, const Choice&, const Samples<T>&, const Stop&);         \
  template double whole_gradient(const Network<T>&, const Choice&, const Samples<T>&, T*, const Stop&); \
  template std::size_t n_learning(const Network<T>&);                                                   \
  template void add_normal_equations(const Network<T>&, const Choice&, double, const Samples<T>&, double*, const Stop&);

BPC_INSTANTIATE(float)
BPC_INSTANTIATE(double)

}  // namespace backpropc
