// Every allocation of a call fails in turn, alone and with all that follow it: std::bad_alloc comes out or the call does
// without, what it was to change stands between two whole steps, and the next call ends in the bits of an undisturbed run.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "check.hpp"
#include "core/errors.hpp"
#include "core/float_mode.hpp"
#include "kernels/table.hpp"
#include "math/registry.hpp"
#include "parallel/pool.hpp"
#include "training/population.hpp"
#include "training/trainer.hpp"
#include "training/whole_batch.hpp"

// --- the allocator that fails --------------------------------------------------------------------------------------------

namespace {

constexpr long never = std::numeric_limits<long>::max();
std::atomic<long> left{never};     // allocations until the one that fails
std::atomic<bool> recovers{true};  // whether those after it are granted

bool refuses() {
  if (left.load() == never) return false;
  const long now = left.fetch_sub(1);
  return now == 0 || (now < 0 && !recovers);
}

void* allocated(std::size_t bytes, std::size_t alignment) {
  if (refuses()) throw std::bad_alloc();
  void* const p =
      std::aligned_alloc(alignment, (std::max<std::size_t>(bytes, 1) + alignment - 1) / alignment * alignment);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

}  // namespace

void* operator new(std::size_t bytes) { return allocated(bytes, __STDCPP_DEFAULT_NEW_ALIGNMENT__); }
void* operator new(std::size_t bytes, std::align_val_t a) { return allocated(bytes, static_cast<std::size_t>(a)); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

namespace {

using backpropc::Choice;
using backpropc::Layer;
using backpropc::Network;
using backpropc::Population;
using backpropc::PopulationSettings;
using backpropc::Samples;
using backpropc::Trainer;
using backpropc::TrainerSettings;

bool go_on() { return false; }

// --- trials ----------------------------------------------------------------------------------------------------------------

struct Trial {
  std::function<void()> call;   // whose allocations fail
  std::function<bool()> holds;  // after a failed call: whether nothing is lost
  std::function<bool()> ends;   // after that: whether the call, made anew, does what it should
};

bool fails(const std::function<void()>& call, long n, bool others_are_granted) {
  recovers = others_are_granted;
  left = n;
  bool failed = false;
  try {
    call();
  } catch (const std::bad_alloc&) {
    failed = true;
  } catch (const backpropc::NonFinite&) {  // an outcome like any other, where a run is to diverge
  }
  return failed;
}

// A trial is made anew for each allocation, in a thread that has none of the memory that threads keep.
void every_allocation_fails(const std::string& what, const std::function<Trial()>& make) {
  std::size_t refused = 0, wrong = 0;
  for (const bool others_are_granted : {true, false}) {
    bool reached = true;
    for (long n = 0; reached; ++n) {
      std::thread([&] {
        const backpropc::FloatMode mode;
        const Trial trial = make();
        const bool failed = fails(trial.call, n, others_are_granted);
        reached = left.exchange(never) < 0;
        refused += reached;
        if (failed && !trial.holds()) wrong += 1;
        if (!trial.ends()) wrong += 1;
        if (!reached && failed) wrong += 1;
      }).join();
    }
  }
  check::that(refused > 0, (what + ": an allocation failed").c_str());
  check::equal(wrong, std::size_t{0}, (what + ": calls that lost something").c_str());
  std::cout << what << ": " << refused << " allocations refused\n";
}

// --- networks, data, trainers ------------------------------------------------------------------------------------------------

constexpr std::size_t samples = 24, fan_in = 20, hidden = 96, fan_out = 5;

template <class Entry>
const char* name_of(const Entry& e) {
  if constexpr (std::is_same_v<Entry, backpropc::Description>)
    return e.name;
  else
    return e.description.name;
}

template <class List>
Choice choose(const List& list, const std::string& name) {
  Choice c;
  while (name_of(list[static_cast<std::size_t>(c.index)]) != name) ++c.index;
  const backpropc::Description& d = [&]() -> const backpropc::Description& {
    const auto& entry = list[static_cast<std::size_t>(c.index)];
    if constexpr (std::is_same_v<std::decay_t<decltype(entry)>, backpropc::Description>)
      return entry;
    else
      return entry.description;
  }();
  for (std::size_t i = 0; i < d.n_parameters; ++i) c.parameters[i] = d.parameters[i].value;
  return c;
}

float number(std::size_t i) { return static_cast<float>((i * 2654435761U) % 2000U) / 1000.0F - 1.0F; }

struct Data {
  std::vector<float> x, t;
  std::vector<double> weight;

  Data() {
    for (std::size_t i = 0; i < samples * fan_in; ++i) x.push_back(number(i));
    for (std::size_t i = 0; i < samples * fan_out; ++i) t.push_back(0.5F + 0.4F * number(i + 7));
    for (std::size_t i = 0; i < samples; ++i) weight.push_back(1.0 + static_cast<double>(i % 3));
  }
  Samples<float> first(std::size_t n, bool weighted = false) const {
    return {n, x.data(), {t.data(), nullptr}, weighted ? weight.data() : nullptr};
  }
};

const Data& data() {
  static const Data all;
  return all;
}

// σ(z) = z², as a function of the caller's own.
class Square final : public backpropc::Custom {
 public:
  void value(const backpropc::CustomCall<float>& c) const override {
    fill(c, [](auto z) { return z * z; });
  }
  void value(const backpropc::CustomCall<double>& c) const override {
    fill(c, [](auto z) { return z * z; });
  }
  void derivative(const backpropc::CustomCall<float>& c) const override {
    fill(c, [](auto z) { return z + z; });
  }
  void derivative(const backpropc::CustomCall<double>& c) const override {
    fill(c, [](auto z) { return z + z; });
  }

 private:
  template <class T, class F>
  static void fill(const backpropc::CustomCall<T>& c, F f) {
    const std::vector<T> own(c.x, c.x + c.rows * c.columns);  // which takes memory, as Python does
    std::transform(own.begin(), own.end(), c.out, f);
  }
};

std::vector<Layer> layers(std::size_t width) {
  std::vector<Layer> all(2);
  all[0].fan_in = fan_in;
  all[0].fan_out = all[1].fan_in = width;
  all[1].fan_out = fan_out;
  all[0].activation = choose(backpropc::activation_list(), "tanh");
  all[1].activation = choose(backpropc::activation_list(), "logistic");
  return all;
}

std::shared_ptr<Network<float>> network(std::size_t width = hidden, bool custom = false) {
  std::vector<Layer> all = layers(width);
  if (custom) all[0].activation = {-1, {}, std::make_shared<const Square>()};
  const auto net = std::make_shared<Network<float>>(std::move(all));
  for (std::size_t i = 0; i < net->n_parameters(); ++i) net->parameters()[i] = 0.2F * number(i + 3);
  return net;
}

struct Options {
  std::string name, optimizer = "SGD";
  double rate = 0.05;
  std::size_t batch_size = 8, width = hidden;
  bool shuffle = true, weighted = false, custom = false;
  backpropc::Regularization regularization{};
  double momentum = 0.0;
};

TrainerSettings settings(const Options& o) {
  TrainerSettings s;
  s.loss = choose(backpropc::loss_list(), "half_squared_error");
  s.optimizer = choose(backpropc::optimizer_list(), o.optimizer);
  s.optimizer.parameters[0] = o.rate;
  if (o.momentum > 0.0) s.optimizer.parameters[1] = o.momentum;
  s.batch_size = o.batch_size;
  s.shuffle = o.shuffle;
  s.seed = 5;
  s.regularization = o.regularization;
  return s;
}

std::vector<Options> all_options() {
  std::vector<Options> all;
  const auto add = [&](const char* name, const std::function<void(Options&)>& change) {
    Options o;
    o.name = name;
    change(o);
    all.push_back(o);
  };
  add("plain SGD", [](Options&) {});
  add("momentum", [](Options& o) { o.momentum = 0.9; });
  add("Adam, weights", [](Options& o) { o.optimizer = "Adam", o.rate = 1e-3, o.weighted = true; });
  add("Rprop", [](Options& o) { o.optimizer = "Rprop", o.rate = 0.01, o.batch_size = samples; });
  add("a sample at a time", [](Options& o) { o.batch_size = 1, o.width = 4; });
  add("without shuffling", [](Options& o) { o.shuffle = false; });
  add("dropout", [](Options& o) { o.regularization.dropout = {0.2, 0.5}; });
  add("penalties", [](Options& o) { o.regularization.l1 = {1e-3, 0.0}, o.regularization.l2 = {1e-2, 1e-2}; });
  add("clip_norm", [](Options& o) { o.regularization.clip_norm = 0.1; });
  add("clip_value, max_norm", [](Options& o) { o.regularization.clip_value = 0.01, o.regularization.max_norm = 0.5; });
  add("a function of the caller's own", [](Options& o) { o.custom = true; });
  return all;
}

// --- what is compared ----------------------------------------------------------------------------------------------------------

// All there is of a trainer.
struct Snapshot {
  std::vector<float> parameters, state;
  backpropc::Standing standing;
  backpropc::EpochLosses losses;

  explicit Snapshot(Trainer<float>& trainer)
      : parameters(trainer.network()->parameters(),
                   trainer.network()->parameters() + trainer.network()->n_parameters()),
        state(trainer.optimizer_state().data(), trainer.optimizer_state().data() + trainer.optimizer_state().size()),
        standing(trainer.standing()),
        losses(trainer.losses_from(0)) {}

  bool operator==(const Snapshot& o) const {
    return parameters == o.parameters && state == o.state && standing.step_count == o.standing.step_count &&
           standing.samples == o.standing.samples && standing.position == o.standing.position &&
           standing.former_loss == o.standing.former_loss && losses.training == o.losses.training &&
           losses.validation.size() == o.losses.validation.size();
  }
};

struct Run {
  std::shared_ptr<Network<float>> net;
  std::unique_ptr<Trainer<float>> trainer;

  explicit Run(const Options& o)
      : net(network(o.width, o.custom)), trainer(std::make_unique<Trainer<float>>(net, settings(o))) {}
};

// After so many steps of an undisturbed run: a failed one must be at one of these.
std::vector<Snapshot> after_each_step(const Options& o, std::size_t epochs) {
  Run run(o);
  const Samples<float> training = data().first(samples, o.weighted);
  std::vector<Snapshot> all{Snapshot(*run.trainer)};
  while (run.trainer->epoch() < epochs) {
    run.trainer->fit(training, nullptr, {epochs, run.trainer->step_count() + 1}, go_on);
    all.emplace_back(*run.trainer);
  }
  return all;
}

// --- the calls -----------------------------------------------------------------------------------------------------------------

// Two steps, the second on more samples than there is room for.
void test_steps(const Options& o) {
  const auto steps = [&o](Run& run, std::size_t from) {
    for (std::size_t i = from; i < 2; ++i) run.trainer->step(data().first(i == 0 ? 3 : 9, o.weighted));
  };
  std::vector<Snapshot> want;
  Run undisturbed(o);
  want.emplace_back(*undisturbed.trainer);
  for (std::size_t i = 0; i < 2; ++i) {
    undisturbed.trainer->step(data().first(i == 0 ? 3 : 9, o.weighted));
    want.emplace_back(*undisturbed.trainer);
  }
  every_allocation_fails("steps, " + o.name, [&] {
    const auto run = std::make_shared<Run>(o);
    const auto done = [run] { return static_cast<std::size_t>(run->trainer->step_count()); };
    return Trial{[=] { steps(*run, 0); }, [=] { return Snapshot(*run->trainer) == want[done()]; },
                 [=] {
                   steps(*run, done());
                   return Snapshot(*run->trainer) == want[2];
                 }};
  });
}

// A fit, from within an epoch where `begun` steps of it are done.
void test_fit(const Options& o, std::uint64_t begun) {
  const std::vector<Snapshot> want = after_each_step(o, 3);
  every_allocation_fails("fit from step " + std::to_string(begun) + ", " + o.name, [&, begun] {
    const auto run = std::make_shared<Run>(o);
    const Samples<float> training = data().first(samples, o.weighted);
    const auto fit = [=](std::uint64_t until_step) {
      const Samples<float> validation = data().first(7);
      run->trainer->fit(training, &validation, {3, until_step}, go_on);
    };
    if (begun > 0) {
      fit(begun);
      // As one that has come from a file: it has no memory yet.
      const Snapshot now(*run->trainer);
      run->trainer = std::make_unique<Trainer<float>>(run->net, settings(o));
      std::copy(now.state.begin(), now.state.end(), run->trainer->optimizer_state().data());
      run->trainer->resume(now.standing, now.losses);
    }
    return Trial{[=] { fit(std::numeric_limits<std::uint64_t>::max()); },
                 [=] {
                   const Snapshot now(*run->trainer);
                   const Snapshot& then = want[now.standing.step_count];
                   // An epoch whose steps are done may still lack its end.
                   const bool all_recorded = now.losses.training == then.losses.training ||
                                             now.losses.training.size() + 1 == then.losses.training.size();
                   return now.parameters == then.parameters && now.state == then.state && all_recorded &&
                          now.losses.training.size() == now.losses.validation.size() &&
                          now.losses.training.size() == run->trainer->epoch();
                 },
                 [=] {
                   fit(std::numeric_limits<std::uint64_t>::max());
                   return Snapshot(*run->trainer) == want.back();
                 }};
  });
}

// A run that has come to numbers that are not finite is taken back, whatever memory there is.
void test_going_back() {
  Options o;
  o.name = "diverging";
  o.rate = 1e9;
  o.regularization.l2 = {1.0, 1.0};  // w grows by that factor in each step
  o.batch_size = 2;
  const auto fit = [](Run& run) { run.trainer->fit(data().first(samples), nullptr, {3}, go_on); };
  const auto whole = [](Trainer<float>& trainer, const Options& options) {
    Run twin(options);
    while (twin.trainer->step_count() < trainer.step_count())
      twin.trainer->fit(data().first(samples), nullptr, {3, twin.trainer->step_count() + 1}, go_on);
    return Snapshot(*twin.trainer) == Snapshot(trainer);
  };
  Run undisturbed(o);
  bool diverged = false;
  try {
    fit(undisturbed);
  } catch (const backpropc::NonFinite&) {
    diverged = true;
  }
  check::that(diverged, "the run diverges");
  every_allocation_fails("fit that diverges", [&] {
    const auto run = std::make_shared<Run>(o);
    return Trial{[=] { fit(*run); }, [=] { return whole(*run->trainer, o); },
                 [=] {
                   try {
                     fit(*run);
                   } catch (const backpropc::NonFinite&) {
                     return whole(*run->trainer, o);
                   }
                   return false;
                 }};
  });
}

// Batch by batch, amid an epoch that was begun on an array; and an epoch adopted.
void test_from_outside() {
  Options o;
  o.name = "learning";
  o.momentum = 0.9;
  const std::shared_ptr<Network<float>> other = network(o.width);
  const auto work = [other](Run& run, std::uint64_t from) {
    if (from < 2) run.trainer->learn(data().first(10));
    if (from < 3) run.trainer->learn(data().first(4));
    if (run.trainer->epoch() == 0) run.trainer->complete_epoch(0.0);
    if (from < 4) run.trainer->adopt_epoch(other->parameters(), 1.0, 2.0);
  };
  const auto begin = [](Run& run) { run.trainer->fit(data().first(samples), nullptr, {3, 1}, go_on); };
  Run undisturbed(o);
  begin(undisturbed);
  const Snapshot begun(*undisturbed.trainer);
  work(undisturbed, 0);
  const Snapshot want(*undisturbed.trainer);
  every_allocation_fails("learn, complete_epoch, adopt_epoch", [&] {
    const auto run = std::make_shared<Run>(o);
    begin(*run);
    return Trial{[=] { work(*run, 0); },
                 [=] {
                   const Snapshot now(*run->trainer);
                   return (now.standing.step_count > 1 || now == begun) &&
                          now.losses.training.size() == now.losses.validation.size() &&
                          now.losses.training.size() == run->trainer->epoch();
                 },
                 [=] {
                   work(*run, run->trainer->step_count());
                   return Snapshot(*run->trainer) == want;
                 }};
  });
}

// What only reads the network fails, or fills its result.
void test_reading() {
  const auto net = network();
  const Choice loss = choose(backpropc::loss_list(), "half_squared_error");
  const std::size_t learning = backpropc::n_learning(*net) + 1;
  using Numbers = std::vector<double>;
  const auto predicted = [=](Numbers& into) {
    std::vector<float> out(samples * fan_out);
    backpropc::predict(*net, data().x.data(), samples, out.data(), go_on);
    into.assign(out.begin(), out.end());
  };
  const auto gradient = [=](Numbers& into) {
    std::vector<float> flat(net->n_parameters());
    const Samples<float> s = data().first(samples);
    const double e =
        backpropc::gradient(*net, loss, s.x, s.n, s.t, static_cast<const float*>(nullptr), flat.data(), go_on);
    into.assign(flat.begin(), flat.end());
    into.push_back(e);
  };
  const auto whole_gradient = [=](Numbers& into) {
    std::vector<float> flat(net->n_parameters());
    const double e = backpropc::whole_gradient(*net, loss, data().first(samples, true), flat.data(), go_on);
    into.assign(flat.begin(), flat.end());
    into.push_back(e + backpropc::whole_loss(*net, loss, data().first(samples, true), go_on));
  };
  const auto equations = [=](Numbers& into) {
    Numbers matrix(learning * learning);
    backpropc::add_normal_equations(*net, loss, 1.0, data().first(3), matrix.data(), go_on);
    into = std::move(matrix);
  };
  const auto copied = [=](Numbers& into) {
    const Network<float> twin(*net);
    into.assign(twin.parameters(), twin.parameters() + twin.n_parameters());
  };
  const std::vector<std::pair<const char*, std::function<void(Numbers&)>>> calls = {
      {"predict", predicted},
      {"gradient", gradient},
      {"whole gradient and loss", whole_gradient},
      {"normal equations", equations},
      {"copy of a network", copied}};
  for (const auto& [name, call] : calls) {
    Numbers want;
    call(want);
    every_allocation_fails(name, [&, call = call] {
      const auto into = std::make_shared<Numbers>();
      return Trial{[=] { call(*into); }, [] { return true; },
                   [=, &want] {
                     call(*into);
                     return *into == want;
                   }};
    });
  }
}

void test_making() {
  every_allocation_fails("a network", [] {
    const auto made = std::make_shared<std::unique_ptr<Network<float>>>();
    const auto make = [=] { *made = std::make_unique<Network<float>>(layers(hidden)); };
    return Trial{make, [=] { return *made == nullptr; },
                 [=] {
                   make();
                   return (*made)->n_parameters() == (fan_in + 1) * hidden + (hidden + 1) * fan_out;
                 }};
  });
  every_allocation_fails("a trainer", [] {
    const auto net = network();
    const auto made = std::make_shared<std::unique_ptr<Trainer<float>>>();
    Options o;
    o.optimizer = "Adam";
    const auto make = [=] { *made = std::make_unique<Trainer<float>>(net, settings(o)); };
    return Trial{make, [=] { return *made == nullptr; },
                 [=] {
                   make();
                   return (*made)->optimizer_state().size() >= net->n_parameters();
                 }};
  });
  every_allocation_fails("a mask", [] {
    const auto net = network();
    const std::vector<float> before(net->parameters(), net->parameters() + net->n_parameters());
    const auto set = [=] { net->set_mask(0, std::vector<std::uint8_t>(fan_in * hidden, 0)); };
    return Trial{set, [=] { return std::equal(before.begin(), before.end(), net->parameters()); },
                 [=] {
                   set();
                   return std::all_of(net->parameters(), net->parameters() + fan_in * hidden,
                                      [](float w) { return w == 0.0F; });
                 }};
  });
}

// A run of more members than a block has lanes. One of which a number is kept stands between two steps of its own.
void test_population(const Options& o) {
  constexpr std::size_t members = 70, epochs = 3;
  struct Many {
    std::shared_ptr<Network<float>> shape;
    std::vector<float> parameters;
    std::unique_ptr<Population<float>> population;

    explicit Many(const Options& options) : shape(network(options.width)) {
      const TrainerSettings one = settings(options);
      PopulationSettings all{one.loss, one.optimizer.index, one.batch_size, one.shuffle, {}, {}};
      for (std::size_t i = 0; i < members; ++i) {
        all.members.push_back({i, one.optimizer.parameters, one.regularization, 0});
        parameters.insert(parameters.end(), shape->parameters(), shape->parameters() + shape->n_parameters());
      }
      population = std::make_unique<Population<float>>(*shape, std::move(all));
    }
    void run() {
      std::vector<std::size_t> left;
      for (std::size_t i = 0; i < members; ++i)
        if (population->losses(i).training.size() < epochs) left.push_back(i);
      const Samples<float> training = data().first(samples), held_out = data().first(5);
      if (!left.empty())
        population->run(parameters.data(), left, training, &held_out, {epochs, std::uint64_t(-1)}, go_on);
    }
  };
  Many undisturbed(o);
  undisturbed.run();
  every_allocation_fails("a population, " + o.name, [&] {
    const auto many = std::make_shared<Many>(o);
    return Trial{[=] { many->run(); }, [=] { return many->population->fallen().empty(); },
                 [=, &undisturbed] {
                   many->run();
                   return many->parameters == undisturbed.parameters;
                 }};
  });
}

// A crew is hired anew in each trial; a call does without the part of it that there is no memory for.
void test_pool() {
  every_allocation_fails("the pool's start", [] {
    backpropc::set_num_threads(3);
    const auto times = std::make_shared<std::vector<int>>(50);
    const auto work = [=] { backpropc::parallel_for(50, [&](std::size_t i) noexcept { ++(*times)[i]; }); };
    work();
    backpropc::set_num_threads(4);
    return Trial{work, [] { return false; },  // it does not fail
                 [=] {
                   work();
                   return *times == std::vector<int>(50, 3);
                 }};
  });
}

}  // namespace

int main() {
  const backpropc::FloatMode mode;
  for (const std::size_t threads : {1, 2}) {
    backpropc::set_num_threads(threads);
    test_making();
    test_reading();
    for (const Options& o : all_options()) {
      test_steps(o);
      test_fit(o, 0);
      test_fit(o, 2);
    }
    test_going_back();
    test_from_outside();
    for (const Options& o : all_options())
      if (o.name == "without shuffling" || o.name == "dropout" || o.name == "a sample at a time") test_population(o);
  }
  test_pool();
  return check::result();
}
