// FANN's incremental training of a logistic network on ½ squared error, with parameters in and out in our order: layer by
// layer w (fan_in, fan_out), then b.
#include <floatfann.h>

#include <cstddef>
#include <vector>

namespace {

// Where connection c stands in our order. FANN numbers neurons through all layers, each layer's bias neuron last.
class Order {
 public:
  Order(const unsigned* sizes, unsigned layers) {
    std::size_t offset = 0;
    for (unsigned l = 0; l < layers; ++l) {
      for (unsigned j = 0; j <= sizes[l]; ++j) {
        const std::size_t next = l + 1 < layers ? sizes[l + 1] : 0;
        row_.push_back(offset + j * next);
        column_.push_back(j);
      }
      if (l + 1 < layers) offset += std::size_t{sizes[l] + 1} * sizes[l + 1];
    }
  }
  std::size_t operator()(const fann_connection& c) const { return row_[c.from_neuron] + column_[c.to_neuron]; }

 private:
  std::vector<std::size_t> row_, column_;
};

}  // namespace

extern "C" fann* make(const unsigned* sizes, unsigned layers, float learning_rate, const float* parameters) {
  fann* net = fann_create_standard_array(layers, sizes);
  fann_set_activation_function_hidden(net, FANN_SIGMOID);
  fann_set_activation_function_output(net, FANN_SIGMOID);
  // Its sigmoid is 1 / (1 + exp(−2 · steepness · z)).
  fann_set_activation_steepness_hidden(net, 0.5F);
  fann_set_activation_steepness_output(net, 0.5F);
  fann_set_train_error_function(net, FANN_ERRORFUNC_LINEAR);
  fann_set_training_algorithm(net, FANN_TRAIN_INCREMENTAL);
  fann_set_learning_rate(net, learning_rate);
  fann_set_learning_momentum(net, 0.0F);
  const Order order(sizes, layers);
  std::vector<fann_connection> connections(fann_get_total_connections(net));
  fann_get_connection_array(net, connections.data());
  for (fann_connection& c : connections) c.weight = parameters[order(c)];
  fann_set_weight_array(net, connections.data(), static_cast<unsigned>(connections.size()));
  return net;
}

extern "C" void train(fann* net, float* x, float* t, std::ptrdiff_t rows, std::ptrdiff_t epochs) {
  const std::size_t fan_in = fann_get_num_input(net), fan_out = fann_get_num_output(net);
  for (std::ptrdiff_t epoch = 0; epoch < epochs; ++epoch) {
    for (std::ptrdiff_t i = 0; i < rows; ++i) fann_train(net, x + i * fan_in, t + i * fan_out);
  }
}

extern "C" void store(fann* net, const unsigned* sizes, unsigned layers, float* parameters) {
  const Order order(sizes, layers);
  std::vector<fann_connection> connections(fann_get_total_connections(net));
  fann_get_connection_array(net, connections.data());
  for (const fann_connection& c : connections) parameters[order(c)] = c.weight;
}
