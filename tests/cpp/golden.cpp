// Trains the networks of tests/golden/runs.txt and demands that the SHA-256 of their parameters is the one that stands
// there: for every instruction set of this machine and several numbers of threads, called in the usual floating-point mode
// and in a hostile one. tests/unit/test_golden.py demands the same of the Python package.
//
//   golden FILE [name ...]   checks all runs, or those of these names
//   golden FILE --print      prints FILE with the digests of this build
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/float_mode.hpp"
#include "core/philox.hpp"
#include "kernels/table.hpp"
#include "math/initializers.hpp"
#include "math/registry.hpp"
#include "parallel/pool.hpp"
#include "sha256.hpp"
#include "threads.hpp"
#include "training/trainer.hpp"

namespace {

using backpropc::Choice;
using backpropc::Description;
using backpropc::Philox;
using backpropc::Stream;

// One line of the file.
struct Run {
  std::string name, sizes, activation, output, loss, optimizer, dtype, digest;
  std::size_t batch_size = 0, samples = 0;
  std::uint64_t epochs = 0;
  std::string shuffle;
};

std::istream& operator>>(std::istream& in, Run& r) {
  return in >> r.name >> r.sizes >> r.activation >> r.output >> r.loss >> r.optimizer >> r.batch_size >> r.shuffle >>
         r.samples >> r.epochs >> r.dtype >> r.digest;
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, at);) parts.push_back(part);
  return parts;
}

// --- what the line says, in the core's terms -----------------------------------------------------------------------------

const Description& description(const backpropc::ActivationEntry& e) { return e.description; }
const Description& description(const backpropc::LossEntry& e) { return e.description; }
const Description& description(const Description& d) { return d; }

// "name" or "name:parameter=value,…"
template <class Entry>
Choice choose(const std::vector<Entry>& list, const std::string& text) {
  const std::vector<std::string> parts = split(text, ':');
  Choice choice;
  while (choice.index < static_cast<int>(list.size()) && parts[0] != description(list[choice.index]).name)
    ++choice.index;
  if (choice.index == static_cast<int>(list.size())) throw std::runtime_error("there is no " + parts[0]);
  const Description& d = description(list[choice.index]);
  for (std::size_t i = 0; i < d.n_parameters; ++i) choice.parameters[i] = d.parameters[i].value;
  if (parts.size() < 2) return choice;
  for (const std::string& setting : split(parts[1], ',')) {
    const std::vector<std::string> pair = split(setting, '=');
    std::size_t i = 0;
    while (i < d.n_parameters && pair[0] != d.parameters[i].name) ++i;
    if (i == d.n_parameters) throw std::runtime_error(parts[0] + " has no " + pair[0]);
    choice.parameters[i] = std::strtod(pair[1].c_str(), nullptr);
  }
  return choice;
}

// As Python's Network(sizes, activation, output_activation, seed=0).
template <class T>
std::shared_ptr<backpropc::Network<T>> network(const Run& run) {
  const std::vector<std::string> sizes = split(run.sizes, '-');
  std::vector<backpropc::Layer> layers;
  for (std::size_t l = 0; l + 1 < sizes.size(); ++l) {
    backpropc::Layer layer;
    layer.fan_in = std::stoul(sizes[l]);
    layer.fan_out = std::stoul(sizes[l + 1]);
    layer.activation = choose(backpropc::activation_list(), l + 2 < sizes.size() ? run.activation : run.output);
    layers.push_back(layer);
  }
  const auto net = std::make_shared<backpropc::Network<T>>(std::move(layers));
  const Choice w = choose(backpropc::initializer_list(), "glorot_uniform");
  for (std::size_t l = 0; l < net->layers().size(); ++l) {
    const backpropc::Layer& layer = net->layers()[l];
    Philox random(0, Stream::initial_parameters, l);
    const backpropc::Fan fan{static_cast<double>(layer.fan_in), static_cast<double>(layer.fan_out)};
    backpropc::initialize(w.index, w.parameters, fan, random, layer.fan_in * layer.fan_out, net->w(layer));
  }
  return net;
}

// x in [-1, 1); targets in [0, 1), or classes where the loss takes them.
template <class T>
struct Data {
  std::vector<T> x, t;
  std::vector<std::int64_t> classes;

  Data(std::size_t n, std::size_t fan_in, std::size_t fan_out, bool by_class) {
    constexpr auto stream = static_cast<Stream>(1000);  // none of the core's own
    Philox inputs(0, stream, 0), targets(0, stream, 1);
    for (std::size_t i = 0; i < n * fan_in; ++i) x.push_back(static_cast<T>(2 * inputs.next_uniform() - 1));
    const auto width = static_cast<double>(fan_out);
    for (std::size_t i = 0; by_class && i < n; ++i)
      classes.push_back(static_cast<std::int64_t>(width * targets.next_uniform()));
    for (std::size_t i = 0; !by_class && i < n * fan_out; ++i) t.push_back(static_cast<T>(targets.next_uniform()));
  }

  backpropc::Samples<T> samples(std::size_t n) const {
    return {n, x.data(), {t.empty() ? nullptr : t.data(), classes.empty() ? nullptr : classes.data()}};
  }
};

// --- a caller who has changed the processor's mode -------------------------------------------------------------------------

// Rounds upward and flushes subnormals to zero, while one of these lives.
class HostileMode {
 public:
  HostileMode(const HostileMode&) = delete;
  HostileMode& operator=(const HostileMode&) = delete;

#if defined(__x86_64__)
  HostileMode() : saved_(_mm_getcsr()) {
    constexpr unsigned round_up = 0x4000, flush_to_zero = 0x8000, denormals_are_zero = 0x0040;
    _mm_setcsr(saved_ | round_up | flush_to_zero | denormals_are_zero);
  }
  ~HostileMode() { _mm_setcsr(saved_); }

 private:
  unsigned saved_;
#elif defined(__aarch64__)
  HostileMode() {
    constexpr std::uint64_t round_up = 1 << 22, flush_to_zero = 1 << 24;
    asm volatile("mrs %0, fpcr" : "=r"(saved_));
    asm volatile("msr fpcr, %0" : : "r"(saved_ | round_up | flush_to_zero));
  }
  ~HostileMode() { asm volatile("msr fpcr, %0" : : "r"(saved_)); }

 private:
  std::uint64_t saved_ = 0;
#else
  HostileMode() = default;
#endif
};

// --- the runs ----------------------------------------------------------------------------------------------------------------

template <class T>
std::string trained_digest(const Run& run, bool hostile) {
  const auto net = network<T>(run);
  const Choice loss = choose(backpropc::loss_list(), run.loss);
  const bool by_class = backpropc::loss_list()[loss.index].targets == backpropc::Targets::distribution;
  const Data<T> data(run.samples, net->fan_in(), net->fan_out(), by_class);
  backpropc::TrainerSettings settings;
  settings.loss = loss;
  settings.optimizer = choose(backpropc::optimizer_list(), run.optimizer);
  settings.batch_size = run.batch_size;
  settings.shuffle = run.shuffle == "yes";
  backpropc::Trainer<T> trainer(net, settings);
  {
    const auto caller = hostile ? std::make_unique<HostileMode>() : nullptr;
    const backpropc::FloatMode mode;  // as bindings/ enters it
    trainer.fit(data.samples(run.samples), nullptr, {run.epochs}, [] { return false; });
  }
  return sha256::hex(net->parameters(), net->n_parameters() * sizeof(T));
}

std::string trained_digest(const Run& run, bool hostile) {
  return run.dtype == "float32" ? trained_digest<float>(run, hostile) : trained_digest<double>(run, hostile);
}

bool is_right(const Run& run) {
  std::size_t checked = 0, wrong = 0;
  for (const backpropc::InstructionSet* isa : backpropc::available_instruction_sets())
    for (const std::size_t n : threads::counts)
      for (const bool hostile : {false, true}) {
        backpropc::set_instruction_set(isa->name);
        backpropc::set_num_threads(n);
        ++checked;
        const std::string got = trained_digest(run, hostile);
        if (got == run.digest) continue;
        ++wrong;
        std::cout << run.name << ' ' << run.dtype << ": " << isa->name << ", " << n << " threads"
                  << (hostile ? ", hostile mode" : "") << ": " << got << ", not " << run.digest << '\n';
      }
  std::cout << std::left << std::setw(12) << run.name << run.dtype << ": " << checked - wrong << " of " << checked
            << " the same\n";
  return wrong == 0;
}

std::string with_digest(std::string line, const Run& run) {
  return line.replace(line.rfind(run.digest), run.digest.size(), trained_digest(run, false));
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) return std::cerr << "golden FILE [name ... | --print]\n", 2;
  const std::set<std::string> wanted(arguments + 2, arguments + count);
  const bool print = wanted.count("--print") > 0;
  std::ifstream file(arguments[1]);
  bool right = file.is_open();
  for (std::string line; std::getline(file, line);) {
    Run run;
    std::istringstream words(line);
    const bool is_run = line[0] != '#' && words >> run;
    if (print)
      std::cout << (is_run ? with_digest(line, run) : line) << '\n';
    else if (is_run && (wanted.empty() || wanted.count(run.name) > 0))
      right = is_right(run) && right;
  }
  return right ? 0 : 1;
}
