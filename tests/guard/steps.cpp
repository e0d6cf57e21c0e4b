// Takes training steps and nothing else, for tests/guard/instructions.py to count their instructions.
//
//   steps online|digits|population NUMBER
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "core/philox.hpp"
#include "math/registry.hpp"
#include "training/population.hpp"
#include "training/trainer.hpp"

namespace {

using backpropc::Choice;

const backpropc::Description& description(const backpropc::ActivationEntry& e) { return e.description; }
const backpropc::Description& description(const backpropc::LossEntry& e) { return e.description; }
const backpropc::Description& description(const backpropc::Description& d) { return d; }

template <class Entry>
Choice choose(const std::vector<Entry>& list, const char* name) {
  Choice choice;
  while (std::strcmp(description(list[choice.index]).name, name) != 0) ++choice.index;
  return choice;
}

struct Workload {
  std::vector<std::size_t> sizes;
  const char *activation, *output, *loss;
  double learning_rate;
  std::size_t batch_size;
};

std::shared_ptr<backpropc::Network<float>> network(const Workload& w, backpropc::Philox& random) {
  std::vector<backpropc::Layer> layers;
  for (std::size_t l = 0; l + 1 < w.sizes.size(); ++l) {
    backpropc::Layer layer;
    layer.fan_in = w.sizes[l];
    layer.fan_out = w.sizes[l + 1];
    layer.activation = choose(backpropc::activation_list(), l + 2 < w.sizes.size() ? w.activation : w.output);
    layers.push_back(layer);
  }
  const auto net = std::make_shared<backpropc::Network<float>>(std::move(layers));
  for (std::size_t i = 0; i < net->n_parameters(); ++i)
    net->parameters()[i] = static_cast<float>(0.1 * (random.next_uniform() - 0.5));
  return net;
}

// One epoch of `steps` steps over samples that differ, of one network or of that many side by side.
void train(const Workload& w, std::size_t steps, std::size_t members = 1) {
  backpropc::Philox random(0, backpropc::Stream::initial_parameters, 0);
  const auto net = network(w, random);
  const std::size_t n = steps * w.batch_size;
  std::vector<float> x(n * net->fan_in()), t(n * net->fan_out(), 0.0F);
  for (float& v : x) v = static_cast<float>(random.next_uniform());
  for (std::size_t i = 0; i < n; ++i) t[i * net->fan_out() + i % net->fan_out()] = 1.0F;
  const backpropc::Samples<float> samples{n, x.data(), {t.data(), nullptr}};

  backpropc::TrainerSettings settings;
  settings.loss = choose(backpropc::loss_list(), w.loss);
  settings.optimizer = choose(backpropc::optimizer_list(), "SGD");
  settings.optimizer.parameters[0] = w.learning_rate;
  settings.batch_size = w.batch_size;
  settings.shuffle = false;
  const auto go_on = [] { return false; };
  if (members == 1) {
    backpropc::Trainer<float>(net, settings).fit(samples, nullptr, {1}, go_on);
    return;
  }
  backpropc::PopulationSettings all{settings.loss, settings.optimizer.index, w.batch_size, false, {}, {}};
  all.members.assign(members, {0, settings.optimizer.parameters, {}, 0});
  std::vector<float> parameters;
  std::vector<std::size_t> active(members);
  std::iota(active.begin(), active.end(), 0);
  for (std::size_t i = 0; i < members; ++i)
    parameters.insert(parameters.end(), net->parameters(), net->parameters() + net->n_parameters());
  backpropc::Population<float>(*net, std::move(all)).run(parameters.data(), active, samples, nullptr, {1}, go_on);
}

}  // namespace

int main(int count, char** arguments) {
  const Workload online{{8, 3, 8}, "logistic", "logistic", "half_squared_error", 0.3, 1};
  const Workload digits{{784, 128, 10}, "relu", "softmax", "softmax_cross_entropy", 0.1, 32};
  const std::string name = count == 3 ? arguments[1] : "";
  const std::size_t steps = count == 3 ? std::strtoul(arguments[2], nullptr, 10) : 0;
  if (name == "online")
    train(online, steps);
  else if (name == "digits")
    train(digits, steps);
  else if (name == "population")
    train(online, steps, 64);
  else
    return std::fprintf(stderr, "steps online|digits|population NUMBER\n"), 2;
  return 0;
}
