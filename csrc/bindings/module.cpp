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

PYBIND11_MODULE(_core, m) {
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
