// Trainer: the epoch loop, run without the GIL.
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
    require(of_layers->empty() || of_layers->size() == n_layers, "regularization has one number for each layer, or none");
  return std::make_unique<Trainer<T>>(std::move(network),
                                      TrainerSettings{loss, optimizer, batch_size, shuffle, seed, regularization});
}

// The arrays are held by the caller's frame for as long as the core reads them.
template <class T>
void fit(Trainer<T>& trainer, const Array<T>& x, const py::array& t, std::uint64_t until_epoch,
         const std::optional<Array<T>>& validation_x, const std::optional<py::array>& validation_t,
         const std::optional<Array<double>>& sample_weight) {
  const Network<T>& network = *trainer.network();
  const Choice& loss = trainer.settings().loss;
  Samples<T> training, validation;
  {
    const typename Network<T>::Reading reading(network);
    training = checked_samples(network, loss, x, t, "x", "t");
    if (sample_weight) {
      require(sample_weight->ndim() == 1 && static_cast<std::size_t>(sample_weight->shape(0)) == training.n,
              "sample_weight must hold one number for each sample");
      training.weight = sample_weight->data();
    }
    if (validation_x)
      validation =
          checked_samples(network, loss, *validation_x, *validation_t, "validation_data x", "validation_data t");
  }
  SignalWatch watch;
  {
    const GilReleased released;
    const FloatMode mode;
    trainer.fit(training, validation_x ? &validation : nullptr, until_epoch, Stop(std::ref(watch)));
  }
  watch.raise_if_interrupted();
}

template <class T>
double step(Trainer<T>& trainer, const Array<T>& x, const py::array& t) {
  Samples<T> batch;
  {
    const typename Network<T>::Reading reading(*trainer.network());
    batch = checked_samples(*trainer.network(), trainer.settings().loss, x, t, "x", "t");
  }
  const Computing computing(3 * batch.n * trainer.network()->n_parameters());
  return trainer.step(batch);
}

template <class T>
void bind_for(py::module_& m, const char* name) {
  using py::arg;
  using R = Trainer<T>;
  py::class_<R>(m, name)
      .def(py::init(&make_trainer<T>), arg("network"), arg("loss"), arg("optimizer"), arg("batch_size"), arg("shuffle"),
           arg("seed"), arg("regularization") = Regularization{})
      .def("fit", &fit<T>, arg("x").noconvert(), arg("t"), arg("until_epoch"), arg("validation_x").noconvert(),
           arg("validation_t"), arg("sample_weight").noconvert())
      .def("step", &step<T>, arg("x").noconvert(), arg("t"))
      .def("set_learning_rate", &R::set_learning_rate, arg("rate"))
      .def_property_readonly("epoch", &R::epoch)
      .def_property_readonly("step_count", &R::step_count)
      .def_property_readonly("losses", [](const R& r) { return r.losses().training; })
      .def_property_readonly("validation_losses", [](const R& r) { return r.losses().validation; });
}

}  // namespace

void bind_trainer(py::module_& m) {
  py::class_<Regularization>(m, "Regularization")
      .def(py::init<>())
      .def_readwrite("l1", &Regularization::l1)
      .def_readwrite("l2", &Regularization::l2)
      .def_readwrite("dropout", &Regularization::dropout)
      .def_readwrite("clip_value", &Regularization::clip_value)
      .def_readwrite("clip_norm", &Regularization::clip_norm)
      .def_readwrite("max_norm", &Regularization::max_norm);
  bind_for<float>(m, "TrainerFloat32");
  bind_for<double>(m, "TrainerFloat64");
}

}  // namespace backpropc::bindings
