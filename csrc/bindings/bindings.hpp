// What the files of the extension module share. Python's side of the package converts its arguments and words the
// refusals a user can run into; what arrives here has the right type and layout, and is checked once more, since a wrong
// shape would be read out of bounds.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>
#if defined(__GLIBCXX__)
#include <cxxabi.h>
#endif

#include "core/float_mode.hpp"
#include "math/targets.hpp"
#include "network/network.hpp"
#include "network/passes.hpp"
#include "training/trainer.hpp"

namespace backpropc::bindings {

namespace py = pybind11;

void bind_custom(py::module_& m);
void bind_definitions(py::module_& m);
void bind_functions(py::module_& m);
void bind_machine(py::module_& m);
void bind_network(py::module_& m);
void bind_observer(py::module_& m);
void bind_population(py::module_& m);
void bind_trainer(py::module_& m);
void bind_whole_batch(py::module_& m);

template <class T>
using Array = py::array_t<T, py::array::c_style>;

inline void require(bool condition, const char* what) {
  if (!condition) throw std::invalid_argument(what);
}

// For each class_: pybind11 does not ask whether there was memory for an object of Python's.
inline py::custom_type_setup memory_asked_for() {
  return py::custom_type_setup([](PyHeapTypeObject* heap_type) {
    PyTypeObject& type = heap_type->ht_type;
    type.tp_alloc = [](PyTypeObject* of, py::ssize_t n) {  // called by pybind11 alone, and by the function below
      PyObject* const object = PyType_GenericAlloc(of, n);
      if (object == nullptr) throw py::error_already_set();
      return object;
    };
    type.tp_new = [](PyTypeObject* of, PyObject*, PyObject*) -> PyObject* {
      try {
        return py::detail::make_new_instance(of);
      } catch (const std::exception&) {
        return PyErr_NoMemory();
      }
    };
  });
}

// py::init for a function that returns a holder. Where there is no memory to register what it holds, pybind11 would free
// that once with the holder and once with the object.
template <class Holder, class... Arguments>
auto constructor(Holder (*make)(Arguments...)) {
  // NOLINTNEXTLINE(performance-unnecessary-value-param): pybind11 takes the arguments' types from here
  return [make](py::detail::value_and_holder& into, std::decay_t<Arguments>... arguments) {
    Holder made = make(std::move(arguments)...);
    into.value_ptr() = made.get();
    try {
      into.type->init_instance(into.inst, &made);
    } catch (...) {
      into.value_ptr() = nullptr;
      throw;
    }
  };
}

// Numbers for Python are returned as objects of its own: where there is no memory for these, they say so when they are made;
// of a double pybind11 would find it out where nothing is caught any more.
inline py::list as_list(const std::vector<double>& numbers) {
  py::list list(numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) list[i] = py::float_(numbers[i]);
  return list;
}

// An array of these sizes. Not by NumPy, which may give up the GIL while it copies, and with it, at the end of the
// interpreter, a daemon thread: see take_gil.
template <class Number, class... Sizes>
Array<Number> copied(const Number* from, Sizes... sizes) {
  const std::vector<py::ssize_t> shape{static_cast<py::ssize_t>(sizes)...};
  Array<Number> to(shape);
  std::copy_n(from, to.size(), to.mutable_data());
  return to;
}

inline std::vector<double> in_vector(const Array<double>& numbers) {
  return {numbers.data(), numbers.data() + numbers.size()};
}

// Takes the GIL; a daemon thread that comes for it after the end of the interpreter waits for that of the process. Before
// version 3.14 Python ends such a thread by unwinding its stack, and C++ ends the process at the first destructor in the way.
// The unwinding is an exception without an object, so the reference below is to none, and nothing may read it.
template <class Take>
#if defined(__GNUC__)
__attribute__((no_sanitize("undefined")))
#endif
void take_gil(const Take& take) {
#if defined(__GLIBCXX__)
  try {
    take();
  } catch (const abi::__forced_unwind&) {
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
  }
#else
  take();
#endif
}

// py::gil_scoped_release, whose destructor would let the unwinding out.
class GilReleased {
 public:
  GilReleased() : state_(PyEval_SaveThread()) {}
  GilReleased(const GilReleased&) = delete;
  GilReleased& operator=(const GilReleased&) = delete;
  ~GilReleased() {
    take_gil([this] { PyEval_RestoreThread(state_); });
  }

 private:
  PyThreadState* state_;
};

// The mode of the processor and the GIL for a stretch of work in the core. Short work keeps the GIL: giving it up and
// taking it back costs more than the work.
class Computing {
 public:
  explicit Computing(std::size_t multiply_adds) {
    constexpr std::size_t worth_releasing = 20'000;
    if (multiply_adds >= worth_releasing) release_.emplace();
  }

 private:
  std::optional<GilReleased> release_;
  FloatMode mode_;
};

// Lets Python handle its signals while the core works: to be called often, it asks at most fifty times a second.
// Works with the GIL held as well as released.
class SignalWatch {
 public:
  bool operator()() {
    const auto now = Clock::now();
    if (interrupted_ || now - asked_ < interval) return interrupted_;
    asked_ = now;
    std::optional<py::gil_scoped_acquire> gil;
    take_gil([&] { gil.emplace(); });
    interrupted_ = PyErr_CheckSignals() != 0;
    return interrupted_;
  }
  // After the work: raises what a signal's handler raised, KeyboardInterrupt as a rule.
  void raise_if_interrupted() const {
    if (interrupted_) throw py::error_already_set();
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds interval{20};
  Clock::time_point asked_ = Clock::now();
  bool interrupted_ = false;
};

// x as samples of fan_in values: (n, fan_in).
template <class T>
std::size_t count_rows(const Array<T>& x, std::size_t columns, const char* what) {
  require(x.ndim() == 2 && static_cast<std::size_t>(x.shape(1)) == columns, what);
  return static_cast<std::size_t>(x.shape(0));
}

// The samples of a call, once x, the targets and the parameters have been found fit for learning: finite numbers (the
// parameters may be any, where `numbers` says so), and targets that the loss knows. Throws std::invalid_argument naming the
// first that is not.
template <class T>
Samples<T> checked_samples(const Network<T>& network, const Choice& loss, const Array<T>& x, const py::array& t,
                           const char* x_name, const char* t_name, Numbers numbers = Numbers::finite);

// Every number of a standing by its name.
template <class S, class Visit>
void for_each_number(S& standing, const Visit& visit) {
  visit("step_count", standing.step_count);
  visit("samples", standing.samples);
  visit("position", standing.position);
  visit("epoch_loss", standing.epoch_loss);
  visit("epoch_weight", standing.epoch_weight);
  visit("former_loss", standing.former_loss);
}

// The largest |parameter|, once all are finite.
template <class T>
T check_parameters(const Network<T>& network);

// What a loss asks of its targets, and whether n rows of m are so: std::invalid_argument names the first that is not.
Targets targets_of(const Choice& loss);
template <class T>
void check_targets(const Choice& loss, const T* t, std::size_t n, std::size_t m, const char* name);

// Samples that have been checked, with the arrays they lie in: a run of many fits checks them once.
template <class T>
struct CheckedSamples {
  Array<T> x;
  py::array t;
  std::optional<Array<double>> weight;
  Samples<T> samples;
};

}  // namespace backpropc::bindings
