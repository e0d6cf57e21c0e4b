// E of all samples, its gradient and its normal equations, for the methods that Python adds.
#include "training/whole_batch.hpp"

#include "bindings/bindings.hpp"

namespace backpropc::bindings {

namespace {

// f(stop) without the GIL; Ctrl-C ends it.
template <class T, class F>
void compute(const Network<T>& network, const Samples<T>& samples, std::size_t work_of_sample, F f) {
  SignalWatch watch;
  {
    const typename Network<T>::Reading reading(network);
    const Computing computing(samples.n * work_of_sample);
    f(Stop(std::ref(watch)));
  }
  watch.raise_if_interrupted();
}

template <class T>
py::float_ loss_of_all(const Network<T>& network, const CheckedSamples<T>& all, const Choice& loss) {
  double value = 0.0;
  compute(network, all.samples, network.n_parameters(),
          [&](const Stop& stop) { value = whole_loss(network, loss, all.samples, stop); });
  return value;
}

// (E, ∂E/∂parameters as one flat array)
template <class T>
py::tuple gradient_of_all(const Network<T>& network, const CheckedSamples<T>& all, const Choice& loss) {
  Array<T> flat(static_cast<py::ssize_t>(network.n_parameters()));
  T* const into = flat.mutable_data();
  double value = 0.0;
  compute(network, all.samples, 3 * network.n_parameters(),
          [&](const Stop& stop) { value = whole_gradient(network, loss, all.samples, into, stop); });
  return py::make_tuple(value, flat);
}

template <class T>
void normal_equations(const Network<T>& network, const CheckedSamples<T>& all, const Choice& loss, double factor,
                      Array<double>& matrix) {
  const std::size_t columns = n_learning(network) + 1;
  require(matrix.ndim() == 2 && static_cast<std::size_t>(matrix.shape(0)) == columns &&
              static_cast<std::size_t>(matrix.shape(1)) == columns,
          "matrix must have a row and a column for each parameter that learns, and one more");
  require(all.samples.t.rows != nullptr, "residuals need rows of targets");
  double* const into = matrix.mutable_data();
  compute(network, all.samples, network.fan_out() * columns * columns,
          [&](const Stop& stop) { add_normal_equations(network, loss, factor, all.samples, into, stop); });
}

template <class T>
void bind_for(py::module_& m) {
  using py::arg;
  m.def("whole_loss", &loss_of_all<T>, arg("network"), arg("samples"), arg("loss"));
  m.def("whole_gradient", &gradient_of_all<T>, arg("network"), arg("samples"), arg("loss"));
  m.def("add_normal_equations", &normal_equations<T>, arg("network"), arg("samples"), arg("loss"), arg("factor"),
        arg("matrix").noconvert());
}

}  // namespace

void bind_whole_batch(py::module_& m) {
  bind_for<float>(m);
  bind_for<double>(m);
}

}  // namespace backpropc::bindings
