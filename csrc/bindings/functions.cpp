// The lecture's equations on NumPy arrays.
#include "bindings/bindings.hpp"
#include "core/philox.hpp"
#include "kernels/table.hpp"

namespace backpropc::bindings {

namespace {

using Size = std::size_t;

template <class T>
Array<T> like(const Array<T>& x) {
  return Array<T>(std::vector<py::ssize_t>(x.shape(), x.shape() + x.ndim()));
}

// The last axis is a row; a number alone is a row of one.
template <class T>
std::pair<Size, Size> rows_and_columns(const Array<T>& z) {
  const Size columns = z.ndim() > 0 ? static_cast<Size>(z.shape(z.ndim() - 1)) : 1;
  return {columns > 0 ? static_cast<Size>(z.size()) / columns : 0, columns};
}

// z = b + x·w, a = σ(z)
template <class T>
py::tuple dense_forward(const Array<T>& x, const Array<T>& w, const Array<T>& b, const Choice& activation) {
  require(w.ndim() == 2 && b.ndim() == 1 && b.shape(0) == w.shape(1), "w must be (fan_in, fan_out) and b (fan_out,)");
  const Size fan_in = static_cast<Size>(w.shape(0)), fan_out = static_cast<Size>(w.shape(1));
  const Size n = count_rows<T>(x, fan_in, "x must be (n, fan_in)");
  Array<T> z({n, fan_out}), a({n, fan_out});
  T *const zp = z.mutable_data(), *const ap = a.mutable_data();
  {
    const Computing computing(n * fan_in * fan_out);
    const DenseShape s{n, fan_in, fan_out};
    Scratch<T> scratch = scratch_for<T>(s);
    backpropc::dense_forward(s, x.data(), w.data(), b.data(), activation, zp, ap, scratch);
  }
  return py::make_tuple(z, a);
}

// δ = da ⊙ σ'(z) (BP1, BP2), dx = δ·wᵀ (BP2), dw = xᵀ·δ (BP4), db = Σ δ (BP3)
template <class T>
py::tuple dense_backward(const Array<T>& da, const Array<T>& x, const Array<T>& w, const Array<T>& z, const Array<T>& a,
                         const Choice& activation) {
  require(w.ndim() == 2, "w must be (fan_in, fan_out)");
  const Size fan_in = static_cast<Size>(w.shape(0)), fan_out = static_cast<Size>(w.shape(1));
  const Size n = count_rows<T>(x, fan_in, "x must be (n, fan_in)");
  for (const Array<T>* y : {&da, &z, &a})
    require(count_rows<T>(*y, fan_out, "da, z and a must be (n, fan_out)") == n, "da, z and a must be (n, fan_out)");
  Array<T> delta({n, fan_out}), dx({n, fan_in}), dw({fan_in, fan_out}), db(static_cast<py::ssize_t>(fan_out));
  T *const delta_p = delta.mutable_data(), *const dx_p = dx.mutable_data();
  T *const dw_p = dw.mutable_data(), *const db_p = db.mutable_data();
  {
    const Computing computing(2 * n * fan_in * fan_out);
    const DenseShape s{n, fan_in, fan_out};
    Scratch<T> scratch = scratch_for<T>(s);
    activation_backward(n, fan_out, da.data(), z.data(), a.data(), delta_p, activation);
    dense_input_gradient(s, delta_p, w.data(), dx_p, scratch);
    dense_gradient(s, x.data(), delta_p, dw_p, db_p, false, scratch);
  }
  return py::make_tuple(delta, dx, dw, db);
}

template <class T>
void sgd_update(Array<T> w, const Array<T>& dw, double learning_rate) {
  require(w.size() == dw.size(), "dw must have w's shape");
  T* const p = w.mutable_data();
  const Size n = static_cast<Size>(w.size());
  const Computing computing(n);
  kernels<T>().add_scaled(n, static_cast<T>(-learning_rate), dw.data(), p);
}

template <class T>
Array<T> activation_value(const Array<T>& z, const Choice& activation) {
  const auto [rows, columns] = rows_and_columns(z);
  Array<T> a = like(z);
  T* const p = a.mutable_data();
  const Computing computing(static_cast<Size>(z.size()));
  activate(rows, columns, z.data(), p, activation);
  return a;
}

template <class T>
Array<T> activation_derivative(const Array<T>& z, const Choice& activation) {
  const auto [rows, columns] = rows_and_columns(z);
  const Size n = rows * columns;
  Array<T> a = like(z), d = like(z);
  T *const ap = a.mutable_data(), *const dp = d.mutable_data();
  const Computing computing(2 * n);
  if (activation.custom != nullptr) {
    activation.custom->derivative(CustomCall<T>{rows, columns, z.data(), nullptr, dp});
    return d;
  }
  const ActivationKernels<T>& k = kernels<T>().activations[activation.index];
  require(k.derivative != nullptr, "a function of the row has no element-wise derivative");
  k.forward(1, n, z.data(), ap, activation.parameters);
  k.derivative(n, z.data(), ap, dp, activation.parameters);
  return d;
}

// E and ∇ₐE into whichever is not null. A target may be any number where the loss asks for no more than a real one.
template <class T>
void evaluate(const Choice& loss, const Array<T>& a, const Array<T>& t, T* each, T* gradient) {
  require(a.ndim() == 2, "a must be (n, outputs)");
  const Size n = static_cast<Size>(a.shape(0)), m = static_cast<Size>(a.shape(1));
  require(count_rows<T>(t, m, "t must have a's shape") == n, "t must have a's shape");
  if (targets_of(loss) != Targets::real) check_targets(loss, t.data(), n, m, "t");
  const LossPass<T> pass{n,    m,        nullptr,         a.data(), t.data(), nullptr, T(1) / static_cast<T>(n),
                         each, gradient, &loss.parameters};
  const Computing computing(n * m);
  if (loss.custom != nullptr)
    custom_loss(*loss.custom, pass);
  else
    kernels<T>().losses[loss.index].of_a(pass);
}

// E: the mean over the samples.
template <class T>
py::float_ loss_value(const Array<T>& a, const Array<T>& t, const Choice& loss) {
  Buffer<T> each(static_cast<Size>(a.shape(0)));
  evaluate(loss, a, t, each.data(), static_cast<T*>(nullptr));
  double total = 0.0;
  for (Size i = 0; i < each.size(); ++i) total += static_cast<double>(each[i]);
  return total / static_cast<double>(each.size());
}

// ∇ₐE
template <class T>
Array<T> loss_gradient(const Array<T>& a, const Array<T>& t, const Choice& loss) {
  Array<T> gradient = like(a);
  evaluate(loss, a, t, static_cast<T*>(nullptr), gradient.mutable_data());
  return gradient;
}

template <class T>
void bind_for(py::module_& m) {
  using py::arg;
  m.def("dense_forward", dense_forward<T>, arg("x").noconvert(), arg("w").noconvert(), arg("b").noconvert(),
        arg("activation"));
  m.def("dense_backward", dense_backward<T>, arg("da").noconvert(), arg("x").noconvert(), arg("w").noconvert(),
        arg("z").noconvert(), arg("a").noconvert(), arg("activation"));
  m.def("sgd_update", sgd_update<T>, arg("w").noconvert(), arg("dw").noconvert(), arg("learning_rate"));
  m.def("activate", activation_value<T>, arg("z").noconvert(), arg("activation"));
  m.def("activation_derivative", activation_derivative<T>, arg("z").noconvert(), arg("activation"));
  m.def("loss_value", loss_value<T>, arg("a").noconvert(), arg("t").noconvert(), arg("loss"));
  m.def("loss_gradient", loss_gradient<T>, arg("a").noconvert(), arg("t").noconvert(), arg("loss"));
}

}  // namespace

void bind_functions(py::module_& m) {
  bind_for<float>(m);
  bind_for<double>(m);
}

}  // namespace backpropc::bindings
