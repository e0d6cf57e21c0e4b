// Whether data is fit for learning: every number finite, every target one that the loss knows.
#include <algorithm>
#include <cmath>
#include <sstream>

#include "bindings/bindings.hpp"
#include "math/registry.hpp"

namespace backpropc::bindings {

namespace {

template <class T>
std::size_t first_outside(const T* p, std::size_t n, T low, T high) {
  return static_cast<std::size_t>(std::find_if(p, p + n, [=](T v) { return !(v >= low && v <= high); }) - p);
}

std::string number(double v) {
  if (std::isnan(v)) return "nan";
  if (std::isinf(v)) return v > 0 ? "inf" : "-inf";
  std::ostringstream out;
  out.precision(9);
  out << v;
  return out.str();
}

std::string element(const char* name, std::size_t i, std::size_t columns, double value) {
  return std::string(name) + "[" + std::to_string(i / columns) + ", " + std::to_string(i % columns) + "] is " +
         number(value);
}

template <class T>
void check_between(const T* p, std::size_t n, std::size_t columns, T low, T high, const char* name,
                   const std::string& must) {
  const std::size_t i = first_outside(p, n * columns, low, high);
  if (i < n * columns) throw std::invalid_argument(element(name, i, columns, static_cast<double>(p[i])) + "; " + must);
}

template <class T>
void check_distribution(const T* p, std::size_t n, std::size_t columns, const char* name, const std::string& loss) {
  for (std::size_t i = 0; i < n; ++i) {
    double total = 0.0;
    for (std::size_t j = 0; j < columns; ++j) total += static_cast<double>(p[i * columns + j]);
    if (std::abs(total - 1.0) > 1e-3)
      throw std::invalid_argument(
          std::string(name) + ": row " + std::to_string(i) + " sums to " + number(total) + "; for " + loss +
          " each row must be the probabilities of the classes and sum to 1 (for several classes "
          "at once use binary_cross_entropy with logistic outputs)");
  }
}

void check_classes(const std::int64_t* t, std::size_t n, std::size_t m, const char* name) {
  for (std::size_t i = 0; i < n; ++i)
    if (t[i] < 0 || static_cast<std::size_t>(t[i]) >= m)
      throw std::invalid_argument(std::string(name) + "[" + std::to_string(i) + "] is class " + std::to_string(t[i]) +
                                  "; with " + std::to_string(m) + " outputs the classes must be 0 to " +
                                  std::to_string(m - 1));
}

}  // namespace

Targets targets_of(const Choice& loss) {
  return loss.custom != nullptr ? Targets::real : loss_list()[static_cast<std::size_t>(loss.index)].targets;
}

template <class T>
void check_targets(const Choice& loss, const T* t, std::size_t n, std::size_t m, const char* name) {
  const T largest = std::numeric_limits<T>::max();
  const Targets targets = targets_of(loss);
  if (targets == Targets::real)
    return check_between(t, n, m, -largest, largest, name, "targets must be finite numbers");
  const std::string of = loss_list()[static_cast<std::size_t>(loss.index)].description.name;
  if (targets == Targets::not_negative)
    return check_between(t, n, m, T(0), largest, name, "targets of " + of + " must be finite and at least 0");
  const std::string or_classes = targets == Targets::distribution ? ", or a vector of integer classes" : "";
  check_between(t, n, m, T(0), T(1), name, "targets of " + of + " must be probabilities, in [0, 1]" + or_classes);
  if (targets == Targets::distribution) check_distribution(t, n, m, name, of);
}

template <class T>
T check_parameters(const Network<T>& network) {
  const T largest = kernels<T>().largest(network.n_parameters(), network.parameters());
  if (largest < std::numeric_limits<T>::infinity()) return largest;
  const std::size_t i = network.first_non_finite();
  throw std::invalid_argument("network: " + network.name_of(i) + " is " +
                              number(static_cast<double>(network.parameters()[i])) +
                              "; all parameters must be finite before learning");
}

template <class T>
Samples<T> checked_samples(const Network<T>& network, const Choice& loss, const Array<T>& x, const py::array& t,
                           const char* x_name, const char* t_name, Numbers numbers) {
  const std::size_t n = count_rows<T>(x, network.fan_in(), "x must be of shape (n, fan_in)");
  const std::size_t m = network.fan_out();
  require(n > 0, "x must have at least one sample");
  if (numbers == Numbers::finite) check_parameters(network);
  check_between(x.data(), n, network.fan_in(), -std::numeric_limits<T>::max(), std::numeric_limits<T>::max(), x_name,
                "inputs must be finite numbers");
  Samples<T> samples{n, x.data(), {}};
  if (Array<std::int64_t>::check_(t)) {
    require(t.ndim() == 1 && static_cast<std::size_t>(t.shape(0)) == n, "t must hold one class for each sample");
    samples.t.classes = static_cast<const std::int64_t*>(t.data());
    check_classes(samples.t.classes, n, m, t_name);
  } else {
    require(Array<T>::check_(t), "t must be contiguous and of the network's dtype");
    require(t.ndim() == 2 && static_cast<std::size_t>(t.shape(0)) == n && static_cast<std::size_t>(t.shape(1)) == m,
            "t must be of shape (n, fan_out)");
    samples.t.rows = static_cast<const T*>(t.data());
    check_targets(loss, samples.t.rows, n, m, t_name);
  }
  return samples;
}

template float check_parameters(const Network<float>&);
template double check_parameters(const Network<double>&);
template void check_targets(const Choice&, const float*, std::size_t, std::size_t, const char*);
template void check_targets(const Choice&, const double*, std::size_t, std::size_t, const char*);
template Samples<float> checked_samples(const Network<float>&, const Choice&, const Array<float>&, const py::array&,
                                        const char*, const char*, Numbers);
template Samples<double> checked_samples(const Network<double>&, const Choice&, const Array<double>&, const py::array&,
                                         const char*, const char*, Numbers);

}  // namespace backpropc::bindings
