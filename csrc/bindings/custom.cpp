// Python functions as activations and losses. What they return is checked in Python (custom.py): here it has the right dtype
// and size.
#include <cstring>

#include "bindings/bindings.hpp"
#include "network/custom.hpp"

namespace backpropc::bindings {

namespace {

// Holds the GIL where the thread has it already, too.
class GilTaken {
 public:
  GilTaken() {
    take_gil([this] { gil_.emplace(); });
  }

 private:
  std::optional<py::gil_scoped_acquire> gil_;
};

// Arguments are copies, which the function may change and keep. What it raises goes through the core as the exception that it
// is.
template <class T>
void call(const py::object& function, const CustomCall<T>& c, std::size_t n_results) {
  if (c.rows == 0) return;
  const GilTaken gil;
  const FloatMode mode;  // restored in case that Python leaves another
  py::tuple arguments = py::make_tuple(copied(c.x, c.rows, c.columns));
  if (c.t != nullptr) arguments = py::make_tuple(arguments[0], copied(c.t, c.rows, c.columns));
  PyObject* returned = nullptr;
  take_gil([&] { returned = PyObject_CallObject(function.ptr(), arguments.ptr()); });  // given up and taken in there
  if (returned == nullptr) throw py::error_already_set();
  const auto result = py::reinterpret_steal<py::object>(returned);
  require(Array<T>::check_(result), "a function must return a contiguous array of its argument's dtype");
  const auto array = py::reinterpret_borrow<Array<T>>(result);
  require(static_cast<std::size_t>(array.size()) == n_results,
          "a function must return a number for each it stands for");
  std::memcpy(c.out, array.data(), n_results * sizeof(T));
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();  // many functions of C never ask
}

class PythonPair final : public Custom {
 public:
  PythonPair(py::object value, py::object derivative, bool one_value_for_a_row)
      : value_(std::move(value)), derivative_(std::move(derivative)), one_value_for_a_row_(one_value_for_a_row) {}

  void value(const CustomCall<float>& c) const override { call(value_, c, n_values(c)); }
  void value(const CustomCall<double>& c) const override { call(value_, c, n_values(c)); }
  void derivative(const CustomCall<float>& c) const override { call(derivative_, c, c.rows * c.columns); }
  void derivative(const CustomCall<double>& c) const override { call(derivative_, c, c.rows * c.columns); }

 private:
  template <class T>
  std::size_t n_values(const CustomCall<T>& c) const {
    return one_value_for_a_row_ ? c.rows : c.rows * c.columns;
  }

  py::object value_, derivative_;
  bool one_value_for_a_row_;
};

Choice choose(py::object value, py::object derivative, bool one_value_for_a_row) {
  Choice c;
  c.index = -1;
  c.custom = std::make_shared<PythonPair>(std::move(value), std::move(derivative), one_value_for_a_row);
  return c;
}

}  // namespace

void bind_custom(py::module_& m) {
  m.def(
      "custom_activation",
      [](py::object function, py::object derivative) {
        return choose(std::move(function), std::move(derivative), false);
      },
      py::arg("function"), py::arg("derivative"));
  m.def(
      "custom_loss",
      [](py::object function, py::object gradient) { return choose(std::move(function), std::move(gradient), true); },
      py::arg("function"), py::arg("gradient"));
}

}  // namespace backpropc::bindings
