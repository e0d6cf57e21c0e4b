// Which instruction sets were compiled in, which this processor has, and which one is used.
#include <atomic>
#include <cstdlib>
#include <stdexcept>

#include "kernels/table.hpp"

namespace backpropc {

#define BPC_DECLARE(isa)                            \
  namespace isa {                                   \
  extern const KernelTable<float> float32_kernels;  \
  extern const KernelTable<double> float64_kernels; \
  }

BPC_DECLARE(portable)
#if defined(BPC_HAVE_AVX2)
BPC_DECLARE(avx2)
#endif
#if defined(BPC_HAVE_AVX512)
BPC_DECLARE(avx512)
#endif
#if defined(BPC_HAVE_NEON)
BPC_DECLARE(neon)
#endif

namespace {

const InstructionSet compiled[] = {
    {"portable", [] { return true; }, &portable::float32_kernels, &portable::float64_kernels},
#if defined(BPC_HAVE_AVX2)
    {"avx2", [] { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }, &avx2::float32_kernels,
     &avx2::float64_kernels},
#endif
#if defined(BPC_HAVE_AVX512)
    {"avx512",
     [] {
       return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("fma");
     },
     &avx512::float32_kernels, &avx512::float64_kernels},
#endif
#if defined(BPC_HAVE_NEON)
    {"neon", [] { return true; }, &neon::float32_kernels, &neon::float64_kernels},
#endif
};

const InstructionSet& find(const std::string& name) {
  std::string known;
  for (const InstructionSet* isa : available_instruction_sets()) {
    if (name == isa->name) return *isa;
    known += (known.empty() ? "" : ", ") + std::string(isa->name);
  }
  throw std::invalid_argument("BACKPROPC_ISA is '" + name +
                              "'; it must be one of the instruction sets of this machine: " + known);
}

std::atomic<const InstructionSet*> active{nullptr};

}  // namespace

const std::vector<const InstructionSet*>& available_instruction_sets() {
  static const std::vector<const InstructionSet*> available = [] {
    std::vector<const InstructionSet*> found;
    for (const InstructionSet& isa : compiled)
      if (isa.supported()) found.push_back(&isa);
    return found;
  }();
  return available;
}

const InstructionSet& active_instruction_set() {
  const InstructionSet* isa = active.load(std::memory_order_relaxed);
  if (isa == nullptr) {
    const char* wanted = std::getenv("BACKPROPC_ISA");
    isa = wanted != nullptr && *wanted != '\0' ? &find(wanted) : available_instruction_sets().back();
    active.store(isa, std::memory_order_relaxed);
  }
  return *isa;
}

void set_instruction_set(const std::string& name) { active.store(&find(name), std::memory_order_relaxed); }

}  // namespace backpropc
