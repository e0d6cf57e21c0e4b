// The extension module backpropc._core: registers, and turns the core's exceptions into Python's.
#include <stdexcept>
#include <string>

#include "bindings/bindings.hpp"
#include "core/errors.hpp"
#include "kernels/table.hpp"
#include "parallel/pool.hpp"

namespace {

void translate(std::exception_ptr p) {
  try {
    if (p) std::rethrow_exception(p);
  } catch (const backpropc::NonFinite& e) {
    PyErr_SetString(PyExc_FloatingPointError, e.what());
  } catch (const backpropc::Busy& e) {
    PyErr_SetString(PyExc_RuntimeError, e.what());
  } catch (const pybind11::cast_error&) {  // of a result, which lacks nothing but memory
    PyErr_NoMemory();
  } catch (const std::runtime_error& e) {
    if (std::string(e.what()).rfind("Could not allocate", 0) != 0) throw;
    PyErr_NoMemory();  // how pybind11 tells of it
  }
}

}  // namespace

// Neither py::mod_gil_not_used nor py::multiple_interpreters: no test has shown that the core may do without one GIL.
PYBIND11_MODULE(_core_of_main_interpreter, m) {
  using namespace backpropc::bindings;
  m.doc() = "The C++ core of backpropc; use it through the package.";
  pybind11::register_local_exception_translator(translate);
  // A wrong BACKPROPC_ISA or BACKPROPC_NUM_THREADS is refused at import, not in the middle of the work.
  backpropc::active_instruction_set();
  backpropc::num_threads();
  bind_custom(m);
  bind_definitions(m);
  bind_functions(m);
  bind_machine(m);
  bind_network(m);
  bind_observer(m);
  bind_trainer(m);
  bind_whole_batch(m);
  bind_population(m);
}

// Before pybind11 sets anything up: in a second interpreter of Python 3.11 that would wait for ever.
// NOLINTNEXTLINE(bugprone-reserved-identifier): Python's name for it
extern "C" PYBIND11_EXPORT PyObject* PyInit__core() {
  if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
    PyErr_SetString(PyExc_ImportError,
                    "backpropc works in the main interpreter of a process only, not in a subinterpreter");
    return nullptr;
  }
  return PyInit__core_of_main_interpreter();
}
