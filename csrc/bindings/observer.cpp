// Observer: what a diagnosis sees of a network while it trains.
#include "network/observer.hpp"

#include "bindings/bindings.hpp"
#include "core/errors.hpp"

namespace backpropc::bindings {

namespace {

static_assert(sizeof(LayerView) % sizeof(double) == 0, "a row of what look() returns");
constexpr std::size_t numbers_of_layer = sizeof(LayerView) / sizeof(double);

// An observer and the arrays that its samples lie in.
template <class T>
class Watch {
 public:
  Watch(const std::shared_ptr<Network<T>>& network, Array<T> x, py::array t, const Choice& loss,
        std::vector<double> thresholds)
      : x_(std::move(x)), t_(std::move(t)) {
    require(thresholds.size() == network->layers().size(), "thresholds must be one for each layer");
    const Samples<T> s = checked_samples(*network, loss, x_, t_, "x", "t", Numbers::any);
    observer_.emplace(network, loss, s.n, s.x, s.t, std::move(thresholds));
  }

  // (E, a row of numbers for each layer)
  py::tuple look() {
    const Network<T>& network = observer_->network();
    const std::size_t n_layers = network.layers().size();
    const typename Network<T>::Reading reading(network);
    if (looking_) throw Busy("another thread is looking at this network");
    const Looking looking(looking_);
    std::vector<LayerView> views(n_layers);
    double loss = 0.0;
    {
      const Computing computing(3 * observer_->n() * network.n_parameters());
      loss = observer_->look(views.data());
    }
    return py::make_tuple(loss, copied(reinterpret_cast<const double*>(views.data()), n_layers, numbers_of_layer));
  }

 private:
  // Set and read with the GIL: a look gives it up, and another thread must not begin one in the same memory.
  class Looking {
   public:
    explicit Looking(bool& flag) : flag_(flag) { flag_ = true; }
    ~Looking() { flag_ = false; }
    Looking(const Looking&) = delete;
    Looking& operator=(const Looking&) = delete;

   private:
    bool& flag_;
  };

  Array<T> x_;
  py::array t_;
  std::optional<Observer<T>> observer_;
  bool looking_ = false;
};

template <class T>
std::unique_ptr<Watch<T>> make_watch(const std::shared_ptr<Network<T>>& network, const Array<T>& x, const py::array& t,
                                     const Choice& loss, const std::vector<double>& thresholds) {
  return std::make_unique<Watch<T>>(network, x, t, loss, thresholds);
}

template <class T>
void bind_for(py::module_& m, const char* name) {
  using py::arg;
  py::class_<Watch<T>>(m, name, memory_asked_for())
      .def("__init__", constructor(&make_watch<T>), py::detail::is_new_style_constructor(), arg("network"),
           arg("x").noconvert(), arg("t"), arg("loss"), arg("thresholds"))
      .def("look", &Watch<T>::look);
}

}  // namespace

void bind_observer(py::module_& m) {
  bind_for<float>(m, "ObserverFloat32");
  bind_for<double>(m, "ObserverFloat64");
}

}  // namespace backpropc::bindings
