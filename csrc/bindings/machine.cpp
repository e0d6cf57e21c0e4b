// What the core was built for and runs on.
#include "bindings/bindings.hpp"
#include "kernels/table.hpp"
#include "parallel/pool.hpp"

namespace backpropc::bindings {

namespace {

const char* compiler() {
#if defined(__clang__)
  return "Clang " __clang_version__;
#elif defined(__GNUC__)
  return "GCC " __VERSION__;
#elif defined(_MSC_VER)
  return "MSVC";
#else
  return "unknown";
#endif
}

}  // namespace

void bind_machine(py::module_& m) {
  m.attr("version") = BACKPROPC_VERSION;
  m.attr("compiler") = compiler();
  m.def("available_isas", [] {
    py::list names;
    for (const InstructionSet* isa : available_instruction_sets()) names.append(isa->name);
    return py::tuple(names);
  });
  m.def("isa", [] { return active_instruction_set().name; });
  m.attr("max_threads") = max_threads;
  m.def("num_threads", [] { return py::int_(num_threads()); });
  m.def("set_num_threads", set_num_threads, py::arg("n"));
}

}  // namespace backpropc::bindings
