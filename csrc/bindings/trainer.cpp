// Trainer: the epoch loop, run without the GIL.
#include <algorithm>

#include "bindings/bindings.hpp"

namespace backpropc::bindings {

namespace {

template <class T>
std::unique_ptr<Trainer<T>> make_trainer(std::shared_ptr<Network<T>> network, const Choice& loss,
                                         const Choice& optimizer, std::size_t batch_size, bool shuffle,
                                         std::uint64_t seed, const Regularization& regularization) {
  require(batch_size > 0, "batch_size must be at least 1");
  const std::size_t n_layers = network->layers().size();
  for (const auto* of_layers : {&regularization.l1, &regularization.l2, &regularization.dropout})
    require(of_layers->empty() || of_layers->size() == n_layers,
            "regularization has one number for each layer, or none");
  return std::make_unique<Trainer<T>>(std::move(network),
                                      TrainerSettings{loss, optimizer, batch_size, shuffle, seed, regularization});
}

Numbers numbers_of(bool finite) { return finite ? Numbers::finite : Numbers::any; }

template <class T>
CheckedSamples<T> check(const Trainer<T>& trainer, const Array<T>& x, const py::array& t,
                        const std::optional<Array<double>>& weight, const std::string& prefix, bool finite) {
  const typename Network<T>::Reading reading(*trainer.network());
  Samples<T> samples = checked_samples(*trainer.network(), trainer.settings().loss, x, t, (prefix + "x").c_str(),
                                       (prefix + "t").c_str(), numbers_of(finite));
  if (weight) {
    require(weight->ndim() == 1 && static_cast<std::size_t>(weight->shape(0)) == samples.n,
            "weight must hold one number for each sample");
    samples.weight = weight->data();
  }
  return {x, t, weight, samples};
}

template <class T>
void fit(Trainer<T>& trainer, const CheckedSamples<T>& training, const CheckedSamples<T>* validation,
         std::uint64_t until_epoch, std::uint64_t until_step, bool finite) {
  SignalWatch watch;
  {
    const GilReleased released;
    const FloatMode mode;
    trainer.fit(training.samples, validation ? &validation->samples : nullptr, {until_epoch, until_step},
                Stop(std::ref(watch)), numbers_of(finite));
  }
  watch.raise_if_interrupted();
}

template <class T>
py::float_ step(Trainer<T>& trainer, const Array<T>& x, const py::array& t, std::optional<double> learning_rate,
                bool finite) {
  const Network<T>& network = *trainer.network();
  Samples<T> batch;
  std::optional<T> largest;
  {
    const typename Network<T>::Reading reading(network);
    if (finite) largest = check_parameters(network);
    batch = checked_samples(network, trainer.settings().loss, x, t, "x", "t", Numbers::any);
  }
  double loss = 0.0;
  {
    const Computing computing(3 * batch.n * network.n_parameters());
    loss = trainer.step(batch, learning_rate, numbers_of(finite), largest);
  }
  return loss;
}

template <class T>
py::float_ learn(Trainer<T>& trainer, const CheckedSamples<T>& batch, bool finite) {
  double loss = 0.0;
  {
    const Computing computing(3 * batch.samples.n * trainer.network()->n_parameters());
    loss = trainer.learn(batch.samples, numbers_of(finite));
  }
  return loss;
}

template <class T>
const T* all_parameters(const Trainer<T>& trainer, const Array<T>& parameters) {
  require(parameters.ndim() == 1 && static_cast<std::size_t>(parameters.size()) == trainer.network()->n_parameters(),
          "parameters must be as many as the network's");
  return parameters.data();
}

// All that a resumed run needs, as it is between two steps.
template <class T>
py::dict snapshot(Trainer<T>& trainer) {
  const Network<T>& network = *trainer.network();
  const typename Network<T>::Reading reading(network);
  const Standing standing = trainer.standing();
  const EpochLosses losses = trainer.losses_from(0);
  py::dict numbers, result;
  for_each_number(standing, [&](const char* name, auto value) { numbers[name] = value; });
  result["standing"] = numbers;
  result["losses"] = copied(losses.training.data(), losses.training.size());
  result["validation_losses"] = copied(losses.validation.data(), losses.validation.size());
  result["parameters"] = copied(network.parameters(), network.n_parameters());
  result["optimizer_state"] = copied(trainer.optimizer_state().data(), trainer.optimizer_state().size());
  return result;
}

template <class T>
void resume(Trainer<T>& trainer, const py::dict& numbers, const Array<double>& losses,
            const Array<double>& validation_losses) {
  Standing standing;
  for_each_number(standing, [&](const char* name, auto& value) {
    value = numbers[name].template cast<std::remove_reference_t<decltype(value)>>();
  });
  require(losses.size() == validation_losses.size(), "there must be as many losses as validation losses");
  require(standing.position <= standing.samples, "position must be at most samples");
  const typename Network<T>::Changing changing(*trainer.network());
  trainer.resume(standing, {in_vector(losses), in_vector(validation_losses)});
}

template <class T>
void begin_next_epoch(Trainer<T>& trainer, const std::optional<Array<std::int64_t>>& order) {
  std::vector<std::size_t> rows;
  if (order) rows.assign(order->data(), order->data() + order->size());
  // A negative index is a huge one here.
  require(std::all_of(rows.begin(), rows.end(), [&](std::size_t row) { return row < rows.size(); }),
          "order must hold the numbers of the samples");
  trainer.begin_next_epoch(std::move(rows));
}

// A view, into which a loader reads.
template <class T>
py::array optimizer_state(const py::object& self) {
  Buffer<T>& state = self.cast<Trainer<T>&>().optimizer_state();
  return py::array_t<T>({state.size()}, {sizeof(T)}, state.data(), self);
}

template <class T>
void bind_for(py::module_& m, const std::string& dtype) {
  using py::arg;
  using R = Trainer<T>;
  py::class_<CheckedSamples<T>>(m, ("Samples" + dtype).c_str(), memory_asked_for());
  py::class_<R>(m, ("Trainer" + dtype).c_str(), memory_asked_for())
      .def("__init__", constructor(&make_trainer<T>), py::detail::is_new_style_constructor(), arg("network"),
           arg("loss"), arg("optimizer"), arg("batch_size"), arg("shuffle"), arg("seed"),
           arg("regularization") = Regularization{})
      .def("check", &check<T>, arg("x").noconvert(), arg("t"), arg("weight").noconvert() = py::none(),
           arg("prefix") = "", arg("finite") = true)
      .def("fit", &fit<T>, arg("training"), arg("validation").none(true), arg("until_epoch"), arg("until_step"),
           arg("finite") = true)
      .def("step", &step<T>, arg("x").noconvert(), arg("t"), arg("learning_rate") = py::none(), arg("finite") = true)
      .def("learn", &learn<T>, arg("batch"), arg("finite") = true)
      .def_property_readonly("learned", [](const R& r) { return py::int_(r.learned()); })
      .def("complete_epoch", &R::complete_epoch, arg("validation_loss"))
      .def(
          "adopt", [](R& r, const Array<T>& parameters) { r.adopt(all_parameters(r, parameters)); },
          arg("parameters").noconvert())
      .def(
          "adopt_epoch",
          [](R& r, const Array<T>& parameters, double loss, double validation_loss) {
            r.adopt_epoch(all_parameters(r, parameters), loss, validation_loss);
          },
          arg("parameters").noconvert(), arg("loss"), arg("validation_loss"))
      .def("snapshot", &snapshot<T>)
      .def("resume", &resume<T>, arg("standing"), arg("losses").noconvert(), arg("validation_losses").noconvert())
      .def("optimizer_state", &optimizer_state<T>)
      .def("set_learning_rate", &R::set_learning_rate, arg("rate"))
      .def("begin_next_epoch", &begin_next_epoch<T>, arg("order") = py::none())
      .def_property_readonly("epoch", [](const R& r) { return py::int_(r.epoch()); })
      .def_property_readonly("step_count", [](const R& r) { return py::int_(r.step_count()); })
      .def_property_readonly("epoch_loss", [](const R& r) { return py::float_(r.epoch_loss()); })
      .def_property_readonly("batch_means",
                             [](const R& r) {
                               const auto means = r.batch_means();
                               return py::make_tuple(means.loss, means.penalty);
                             })
      .def(
          "losses_from", [](const R& r, std::size_t epoch) { return as_list(r.losses_from(epoch).training); },
          arg("epoch"))
      .def(
          "validation_losses_from",
          [](const R& r, std::size_t epoch) { return as_list(r.losses_from(epoch).validation); }, arg("epoch"));
}

}  // namespace

void bind_trainer(py::module_& m) {
  py::class_<Regularization>(m, "Regularization", memory_asked_for())
      .def("__init__", constructor(+[] { return std::make_unique<Regularization>(); }),
           py::detail::is_new_style_constructor())
      .def_readwrite("l1", &Regularization::l1)
      .def_readwrite("l2", &Regularization::l2)
      .def_readwrite("dropout", &Regularization::dropout)
      .def_readwrite("clip_value", &Regularization::clip_value)
      .def_readwrite("clip_norm", &Regularization::clip_norm)
      .def_readwrite("max_norm", &Regularization::max_norm)
      .def_readwrite("by_batch", &Regularization::by_batch);
  bind_for<float>(m, "Float32");
  bind_for<double>(m, "Float64");
}

}  // namespace backpropc::bindings
