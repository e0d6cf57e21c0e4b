// Network: parameters shared with NumPy, and the passes through it.
#include "bindings/bindings.hpp"
#include "core/philox.hpp"
#include "math/initializers.hpp"

namespace backpropc::bindings {

namespace {

using Size = std::size_t;

// (fan_in, fan_out, activation, trainable)
using LayerArguments = std::tuple<Size, Size, Choice, bool>;

template <class T>
std::shared_ptr<Network<T>> make_network(const std::vector<LayerArguments>& arguments) {
  require(!arguments.empty(), "a network has at least one layer");
  std::vector<Layer> layers;
  for (const auto& [fan_in, fan_out, activation, trainable] : arguments) {
    require(fan_in > 0 && fan_out > 0, "a layer has at least one input and one output");
    require(layers.empty() || layers.back().fan_out == fan_in, "fan_in must be the fan_out of the layer before");
    Layer layer;
    layer.fan_in = fan_in;
    layer.fan_out = fan_out;
    layer.activation = activation;
    layer.trainable = trainable;
    layers.push_back(layer);
  }
  return std::make_shared<Network<T>>(std::move(layers));
}

template <class T>
std::shared_ptr<Network<T>> copy_of(const Network<T>& network) {
  return std::make_shared<Network<T>>(network);
}

// The array keeps the buffer alive, also without the network.
template <class T>
py::array parameters(const Network<T>& network) {
  using Owner = std::shared_ptr<Buffer<T>>;
  auto owner = std::make_unique<Owner>(network.shared_parameters());
  const py::capsule base(owner.get(), [](void* p) { delete static_cast<Owner*>(p); });
  owner.release();  // NOLINT(bugprone-unused-return-value): it is the capsule's now
  return py::array_t<T>({network.n_parameters()}, {sizeof(T)}, network.parameters(), base);
}

// Layer `l` from its own substream, w in C order and then b.
template <class T>
void initialize_layer(Network<T>& network, Size l, std::uint64_t seed, const Choice& w, const Choice& b) {
  const Layer& layer = network.layers().at(l);
  const Fan fan{static_cast<double>(layer.fan_in), static_cast<double>(layer.fan_out)};
  const typename Network<T>::Changing changing(network);
  const FloatMode mode;
  Philox random(seed, Stream::initial_parameters, l);
  initialize(w.index, w.parameters, fan, random, layer.fan_in * layer.fan_out, network.w(layer));
  initialize(b.index, b.parameters, fan, random, layer.fan_out, network.b(layer));
  apply_mask(layer, network.parameters());
}

using Mask = std::optional<Array<std::uint8_t>>;

template <class T>
Mask mask(const Network<T>& network, Size l) {
  const Layer& layer = network.layers().at(l);
  const auto kept = layer.mask;  // whatever another thread, or a finalizer, sets meanwhile
  if (kept == nullptr) return std::nullopt;
  return copied(kept->data(), layer.fan_in, layer.fan_out);
}

template <class T>
void set_mask(Network<T>& network, Size l, const Mask& mask) {
  const Layer& layer = network.layers().at(l);
  const typename Network<T>::Changing changing(network);
  if (!mask) return network.set_mask(l, {});
  require(mask->ndim() == 2 && static_cast<Size>(mask->shape(0)) == layer.fan_in &&
              static_cast<Size>(mask->shape(1)) == layer.fan_out,
          "mask must be of shape (fan_in, fan_out)");
  network.set_mask(l, std::vector<std::uint8_t>(mask->data(), mask->data() + mask->size()));
}

template <class T>
Array<T> predict_rows(const Network<T>& network, const Array<T>& x) {
  const bool one = x.ndim() == 1;
  const Size k = network.fan_in(), m = network.fan_out();
  require((one || x.ndim() == 2) && static_cast<Size>(x.shape(x.ndim() - 1)) == k,
          "x must be (n, fan_in) or (fan_in,)");
  const Size n = one ? 1 : static_cast<Size>(x.shape(0));
  Array<T> out = one ? Array<T>(static_cast<py::ssize_t>(m)) : Array<T>({n, m});
  T* const to = out.mutable_data();
  const T* const from = x.data();
  SignalWatch watch;
  {
    const typename Network<T>::Reading reading(network);
    const Computing computing(n * network.n_parameters());
    predict(network, from, n, to, Stop(std::ref(watch)));
  }
  watch.raise_if_interrupted();
  return out;
}

template <class T>
py::float_ loss_of(const Network<T>& network, const Array<T>& x, const py::array& t, const Choice& loss) {
  const typename Network<T>::Reading reading(network);
  const Samples<T> s = checked_samples(network, loss, x, t, "x", "t");
  SignalWatch watch;
  double value = 0.0;
  {
    const Computing computing(s.n * network.n_parameters());
    Workspace<T> workspace = evaluation_workspace(network, loss, s.n);
    value = mean_loss(network, loss, s.x, s.n, s.t, workspace, Stop(std::ref(watch)));
  }
  watch.raise_if_interrupted();
  return value;
}

// (E, ∂E/∂parameters as one flat array); with shares, E is Σ share·E.
template <class T>
py::tuple gradients(const Network<T>& network, const Array<T>& x, const py::array& t, const Choice& loss,
                    const std::optional<Array<T>>& share) {
  const typename Network<T>::Reading reading(network);
  const Samples<T> s = checked_samples(network, loss, x, t, "x", "t");
  require(!share || (share->ndim() == 1 && static_cast<Size>(share->shape(0)) == s.n),
          "share must hold one number for each sample");
  Array<T> flat(static_cast<py::ssize_t>(network.n_parameters()));
  T* const into = flat.mutable_data();
  SignalWatch watch;
  double value = 0.0;
  {
    const Computing computing(3 * s.n * network.n_parameters());
    value = gradient(network, loss, s.x, s.n, s.t, share ? share->data() : nullptr, into, Stop(std::ref(watch)));
  }
  watch.raise_if_interrupted();
  return py::make_tuple(value, flat);
}

// (E, [(z, a, delta, dw, db) of each layer])
template <class T>
py::tuple trace(const Network<T>& network, const Array<T>& x, const py::array& t, const Choice& loss) {
  const typename Network<T>::Reading reading(network);
  const Samples<T> s = checked_samples(network, loss, x, t, "x", "t");
  Workspace<T> ws(network, loss, s.n, Workspace<T>::Keep::every_z);
  Buffer<T> flat(network.n_parameters());
  double total = 0.0;
  {
    const Computing computing(3 * s.n * network.n_parameters());
    forward(network, s.x, s.n, ws);
    total = output_error(network, loss, s.n, s.t, static_cast<const T*>(nullptr), T(1) / static_cast<T>(s.n), ws);
    backward(network, s.x, s.n, 0, ws, [&](Size l, const T* a, T* delta) {
      const Layer& layer = network.layers()[l];
      dense_gradient(layer.shape(s.n), a, delta, flat.data() + layer.w, flat.data() + layer.b, false, ws.scratch());
      apply_mask(layer, flat.data());
    });
  }
  py::list layers;
  for (Size l = 0; l < network.layers().size(); ++l) {
    const Layer& layer = network.layers()[l];
    layers.append(py::make_tuple(copied(ws.z(l), s.n, layer.fan_out), copied(ws.a(l), s.n, layer.fan_out),
                                 copied(ws.delta(l), s.n, layer.fan_out),
                                 copied(flat.data() + layer.w, layer.fan_in, layer.fan_out),
                                 copied(flat.data() + layer.b, layer.fan_out)));
  }
  return py::make_tuple(total / static_cast<double>(s.n), layers);
}

template <class T>
void bind_for(py::module_& m, const char* name) {
  using py::arg;
  using N = Network<T>;
  py::class_<N, std::shared_ptr<N>>(m, name, memory_asked_for())
      .def("__init__", constructor(&make_network<T>), py::detail::is_new_style_constructor(), arg("layers"))
      .def("__init__", constructor(&copy_of<T>), py::detail::is_new_style_constructor(), arg("network"))
      .def("copy", [](const py::object& self) { return py::type::of(self)(self); })
      .def("parameters", &parameters<T>)
      .def("initialize_layer", &initialize_layer<T>, arg("layer"), arg("seed"), arg("w"), arg("b"))
      .def("trainable", [](const N& network, Size l) { return network.layers().at(l).trainable; })
      .def("set_trainable",
           [](N& network, Size l, bool trainable) {
             require(l < network.layers().size(), "no such layer");
             const typename N::Changing changing(network);
             network.set_trainable(l, trainable);
           })
      .def("mask", &mask<T>, arg("layer"))
      .def("set_mask", &set_mask<T>, arg("layer"), arg("mask").noconvert())
      .def("predict", &predict_rows<T>, arg("x").noconvert())
      .def("loss", &loss_of<T>, arg("x").noconvert(), arg("t"), arg("loss"))
      .def("gradients", &gradients<T>, arg("x").noconvert(), arg("t"), arg("loss"),
           arg("share").noconvert() = py::none())
      .def("trace", &trace<T>, arg("x").noconvert(), arg("t"), arg("loss"));
}

}  // namespace

void bind_network(py::module_& m) {
  bind_for<float>(m, "NetworkFloat32");
  bind_for<double>(m, "NetworkFloat64");
}

}  // namespace backpropc::bindings
