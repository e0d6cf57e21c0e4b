// Population: networks side by side, trained without the GIL; their parameters are the rows of a NumPy array.
#include <algorithm>

#include "bindings/bindings.hpp"
#include "core/philox.hpp"
#include "math/initializers.hpp"
#include "parallel/pool.hpp"
#include "training/population.hpp"

namespace backpropc::bindings {

namespace {

using Size = std::size_t;
// A row of numbers for each member.
using Table = Array<double>;
using Rows = Array<std::uint32_t>;

template <class Number>
std::vector<double> row(const Number& table, Size i) {
  const double* const from = table.data() + i * static_cast<Size>(table.shape(1));
  return {from, from + table.shape(1)};
}

void require_table(const Table& table, Size members, Size columns, const char* what) {
  require(
      table.ndim() == 2 && static_cast<Size>(table.shape(0)) == members && static_cast<Size>(table.shape(1)) == columns,
      what);
}

// Members' penalties and rates of dropout, a number for each layer: columns l1, then l2, then dropout, where they are on.
std::vector<MemberSettings> member_settings(const Array<std::uint64_t>& seeds, const Table& optimizer,
                                            const std::array<std::optional<Table>, 3>& of_layers,
                                            const std::optional<Table>& clip_value, Size n_layers) {
  const auto n = static_cast<Size>(seeds.size());
  require(n > 0, "a population has at least one member");
  require(optimizer.ndim() == 2 && static_cast<Size>(optimizer.shape(0)) == n &&
              static_cast<Size>(optimizer.shape(1)) <= max_parameters,
          "optimizer must have a row for each member");
  for (const std::optional<Table>& table : of_layers)
    if (table) require_table(*table, n, n_layers, "penalties and dropout must have a number for each layer");
  if (clip_value) require_table(*clip_value, n, 1, "clip_value must have a number for each member");
  std::vector<MemberSettings> members(n);
  for (Size i = 0; i < n; ++i) {
    members[i].seed = seeds.data()[i];
    const std::vector<double> values = row(optimizer, i);
    std::copy(values.begin(), values.end(), members[i].optimizer.begin());
    Regularization& r = members[i].regularization;
    std::vector<double>* const to[] = {&r.l1, &r.l2, &r.dropout};
    for (Size k = 0; k < of_layers.size(); ++k)
      if (of_layers[k]) *to[k] = row(*of_layers[k], i);
    if (clip_value) r.clip_value = clip_value->data()[i];
  }
  return members;
}

// The folds of the data, of which members[i] has fold_of[i]: a row of samples for each.
std::vector<Fold> folds_of(std::vector<MemberSettings>& members, const std::optional<Rows>& fold_of,
                           const std::optional<Rows>& training, const std::optional<Rows>& validation) {
  if (!training) return {};
  require(training->ndim() == 2 && training->shape(1) > 0, "folds must have samples");
  require(!validation || (validation->ndim() == 2 && validation->shape(0) == training->shape(0)),
          "each fold must have samples to be validated on");
  require(fold_of && fold_of->ndim() == 1 && static_cast<Size>(fold_of->size()) == members.size(),
          "each member must have a fold");
  std::vector<Fold> folds(static_cast<Size>(training->shape(0)));
  const auto fill = [&](const Rows& rows, std::vector<std::uint32_t> Fold::* to) {
    const auto n = static_cast<Size>(rows.shape(1));
    for (Size i = 0; i < folds.size(); ++i) (folds[i].*to).assign(rows.data() + i * n, rows.data() + (i + 1) * n);
  };
  fill(*training, &Fold::training);
  if (validation) fill(*validation, &Fold::validation);
  for (Size i = 0; i < members.size(); ++i) {
    members[i].fold = fold_of->data()[i];
    require(members[i].fold < folds.size(), "no such fold");
  }
  return folds;
}

template <class T>
void require_within(const Population<T>& population, const CheckedSamples<T>& training,
                    const CheckedSamples<T>* validation) {
  const auto all_below = [](const std::vector<std::uint32_t>& rows, Size n) {
    return std::all_of(rows.begin(), rows.end(), [n](std::uint32_t row) { return row < n; });
  };
  for (const Fold& fold : population.settings().folds) {
    require(all_below(fold.training, training.samples.n), "a fold names a sample that there is not");
    require(!validation || all_below(fold.validation, validation->samples.n),
            "a fold names a sample that is not among those to be validated on");
  }
}

template <class T>
std::unique_ptr<Population<T>> make_population(const Network<T>& shape, const Choice& loss, int optimizer,
                                               Size batch_size, bool shuffle, const Array<std::uint64_t>& seeds,
                                               const Table& values, const std::optional<Table>& l1,
                                               const std::optional<Table>& l2, const std::optional<Table>& dropout,
                                               const std::optional<Table>& clip_value,
                                               const std::optional<Rows>& fold_of,
                                               const std::optional<Rows>& training_rows,
                                               const std::optional<Rows>& validation_rows) {
  require(batch_size > 0, "batch_size must be at least 1");
  PopulationSettings settings{loss, optimizer, batch_size, shuffle, {}, {}};
  settings.members = member_settings(seeds, values, {l1, l2, dropout}, clip_value, shape.layers().size());
  settings.folds = folds_of(settings.members, fold_of, training_rows, validation_rows);
  return std::make_unique<Population<T>>(shape, std::move(settings));
}

template <class T>
T* rows_of(Array<T>& parameters, Size members, Size n_parameters) {
  require(parameters.ndim() == 2 && static_cast<Size>(parameters.shape(0)) == members &&
              static_cast<Size>(parameters.shape(1)) == n_parameters,
          "parameters must have a row for each member");
  return parameters.mutable_data();
}

template <class T>
void run(Population<T>& population, Array<T> parameters, const std::vector<Size>& active,
         const CheckedSamples<T>& training, const CheckedSamples<T>* validation, std::uint64_t until_epoch,
         std::uint64_t until_step) {
  T* const rows = rows_of(parameters, population.size(), population.n_parameters());
  for (const Size member : active) require(member < population.size(), "no such member");
  require(training.samples.n < (Size{1} << 32), "a population takes fewer than 2^32 samples");
  require_within(population, training, validation);
  SignalWatch watch;
  {
    const GilReleased released;
    const FloatMode mode;
    population.run(rows, active, training.samples, validation ? &validation->samples : nullptr,
                   {until_epoch, until_step}, Stop(std::ref(watch)));
  }
  watch.raise_if_interrupted();
}

// f(network, member) for every row of parameters, shared out among threads; f may not throw.
template <class T, class F>
void for_each_network(const Network<T>& shape, const Array<T>& parameters, Size work_of_each, F f) {
  const Size n = static_cast<Size>(parameters.shape(0)), count = shape.n_parameters();
  const T* const from = parameters.data();
  SignalWatch watch;
  {
    const Computing computing(n * work_of_each);
    const Size tasks = std::min(tasks_for(n * work_of_each, 4 * num_threads()), std::max<Size>(n, 1));
    const Size at_a_time = std::max<Size>(1, 20'000'000 / (1 + work_of_each) / tasks);
    std::vector<std::unique_ptr<Network<T>>> networks;
    networks.reserve(tasks);
    for (Size i = 0; i < tasks; ++i) networks.push_back(std::make_unique<Network<T>>(shape));
    for (Size begin = 0; begin < n && !watch(); begin += tasks * at_a_time)
      parallel_for(tasks, [&](Size task) noexcept {
        const FloatMode mode;
        const Size first = begin + task * at_a_time;
        for (Size i = first; i < std::min(first + at_a_time, n); ++i) {
          std::copy_n(from + i * count, count, networks[task]->parameters());
          f(*networks[task], i);
        }
      });
  }
  watch.raise_if_interrupted();
}

// (members, samples, fan_out)
template <class T>
Array<T> predict_all(const Network<T>& shape, const Array<T>& parameters, const Array<T>& x) {
  const Size n = count_rows<T>(x, shape.fan_in(), "x must be of shape (n, fan_in)"), m = shape.fan_out();
  require(parameters.ndim() == 2 && static_cast<Size>(parameters.shape(1)) == shape.n_parameters(),
          "parameters must have a row for each member");
  Array<T> out({static_cast<Size>(parameters.shape(0)), n, m});
  T* const to = out.mutable_data();
  const T* const from = x.data();
  for_each_network<T>(shape, parameters, n * shape.n_parameters(), [=](const Network<T>& network, Size i) {
    predict(network, from, n, to + i * n * m, [] { return false; });
  });
  return out;
}

template <class T>
Array<double> losses_of_all(const Network<T>& shape, const Array<T>& parameters, const CheckedSamples<T>& samples,
                            const Choice& loss) {
  require(parameters.ndim() == 2 && static_cast<Size>(parameters.shape(1)) == shape.n_parameters(),
          "parameters must have a row for each member");
  Array<double> out(parameters.shape(0));
  double* const to = out.mutable_data();
  const Samples<T>& s = samples.samples;
  for_each_network<T>(shape, parameters, s.n * shape.n_parameters(), [&, to](const Network<T>& network, Size i) {
    Workspace<T> workspace = evaluation_workspace(network, loss, s.n);
    to[i] = mean_loss(network, loss, s.x, s.n, s.t, workspace, [] { return false; });
  });
  return out;
}

// Each member's ½·l2·Σw² over the weights, as a Trainer adds it up.
template <class T>
Array<double> penalties_of_all(const Network<T>& shape, const Array<T>& parameters, double l2) {
  require(parameters.ndim() == 2 && static_cast<Size>(parameters.shape(1)) == shape.n_parameters(),
          "parameters must have a row for each member");
  const Size n = static_cast<Size>(parameters.shape(0));
  Array<double> out(parameters.shape(0));
  double* const to = out.mutable_data();
  const T* const from = parameters.data();
  const GilReleased released;
  const FloatMode mode;
  Buffer<double> parts;
  for (Size i = 0; i < n; ++i) {
    to[i] = 0.0;
    for (const Layer& layer : shape.layers())
      to[i] += penalty(layer.fan_in * layer.fan_out, 0.0, l2, from + i * shape.n_parameters() + layer.w, parts);
  }
  return out;
}

// Each member's initial parameters of one layer, as Network's: w in C order and then b.
template <class T>
void initialize_rows(const Network<T>& shape, Array<T> parameters, Size l, const Array<std::uint64_t>& seeds,
                     const Choice& w, const Choice& b) {
  const auto n = static_cast<Size>(seeds.size());
  T* const rows = rows_of(parameters, n, shape.n_parameters());
  const Layer& layer = shape.layers().at(l);
  const Fan fan{static_cast<double>(layer.fan_in), static_cast<double>(layer.fan_out)};
  const FloatMode mode;
  for (Size i = 0; i < n; ++i) {
    Philox random(seeds.data()[i], Stream::initial_parameters, l);
    T* const row = rows + i * shape.n_parameters();
    initialize(w.index, w.parameters, fan, random, layer.fan_in * layer.fan_out, row + layer.w);
    initialize(b.index, b.parameters, fan, random, layer.fan_out, row + layer.b);
  }
}

// The order in which a member, and whoever shares its fold, takes its samples from now on.
template <class T>
void set_training_rows(Population<T>& population, Size member, const Rows& rows) {
  require(member < population.size() && !population.settings().folds.empty(), "no such member with a fold");
  const Size fold = population.settings().members[member].fold;
  require(rows.ndim() == 1 && static_cast<Size>(rows.size()) == population.settings().folds[fold].training.size(),
          "rows must be as many as before");
  population.set_training_rows(fold, {rows.data(), rows.data() + rows.size()});
}

// A column of numbers for each name, with a number for each member; counts are exact up to 2^53.
template <class T>
py::dict standings(const Population<T>& population) {
  py::dict table;
  std::vector<double*> columns;
  const Standing any{};
  for_each_number(any, [&](const char* name, auto) {
    Table column(static_cast<py::ssize_t>(population.size()));
    columns.push_back(column.mutable_data());
    table[name] = column;
  });
  for (Size i = 0; i < population.size(); ++i) {
    auto column = columns.begin();
    for_each_number(population.standing(i),
                    [&](const char*, auto value) { (*column++)[i] = static_cast<double>(value); });
  }
  return table;
}

template <class T>
Array<Size> epochs(const Population<T>& population) {
  Array<Size> out(static_cast<py::ssize_t>(population.size()));
  for (Size i = 0; i < population.size(); ++i) out.mutable_data()[i] = population.losses(i).training.size();
  return out;
}

// A row of losses for each member, nan after its last.
template <class T>
Table table_of(const Population<T>& population, std::vector<double> EpochLosses::* losses) {
  Size longest = 0;
  for (Size i = 0; i < population.size(); ++i) longest = std::max(longest, (population.losses(i).*losses).size());
  Table table({static_cast<py::ssize_t>(population.size()), static_cast<py::ssize_t>(longest)});
  double* row = table.mutable_data();
  for (Size i = 0; i < population.size(); ++i, row += longest) {
    const std::vector<double>& own = population.losses(i).*losses;
    std::fill(std::copy(own.begin(), own.end(), row), row + longest, std::numeric_limits<double>::quiet_NaN());
  }
  return table;
}

// Members go on from where they stood; the tables have a row for each of these members.
template <class T>
void resume(Population<T>& population, const Array<std::int64_t>& members, const py::dict& numbers,
            const Array<std::int64_t>& epochs, const Table& losses, const Table& validation) {
  const auto n = static_cast<Size>(members.size());
  require(epochs.ndim() == 1 && static_cast<Size>(epochs.size()) == n, "epochs must have a number for each member");
  for (const Table* table : {&losses, &validation})
    require(table->ndim() == 2 && static_cast<Size>(table->shape(0)) == n, "losses must have a row for each member");
  std::vector<Table> columns;
  const Standing any{};
  for_each_number(any, [&](const char* name, auto) {
    columns.push_back(numbers[name].template cast<Table>());
    require(columns.back().ndim() == 1 && static_cast<Size>(columns.back().size()) == n,
            "standings must have a number for each member");
  });
  for (Size i = 0; i < n; ++i) {
    const auto member = static_cast<Size>(members.data()[i]), length = static_cast<Size>(epochs.data()[i]);
    require(member < population.size(), "no such member");
    Standing standing;
    auto column = columns.begin();
    for_each_number(standing, [&](const char*, auto& value) {
      value = static_cast<std::remove_reference_t<decltype(value)>>((column++)->data()[i]);
    });
    require(standing.position <= standing.samples, "position must be at most samples");
    require(length <= static_cast<Size>(losses.shape(1)), "epochs must be at most as many as there are losses");
    EpochLosses own{row(losses, i), row(validation, i)};
    own.training.resize(length);
    own.validation.resize(std::min(length, own.validation.size()));
    population.resume(member, standing, std::move(own));
  }
}

// Each member's losses of one epoch, nan where it has not come so far.
template <class T>
Array<double> losses_of_epoch(const Population<T>& population, Size epoch, bool of_validation) {
  Array<double> out(static_cast<py::ssize_t>(population.size()));
  for (Size i = 0; i < population.size(); ++i) {
    const EpochLosses& all = population.losses(i);
    const std::vector<double>& losses = of_validation ? all.validation : all.training;
    out.mutable_data()[i] = epoch < losses.size() ? losses[epoch] : std::numeric_limits<double>::quiet_NaN();
  }
  return out;
}

template <class T>
void bind_for(py::module_& m, const std::string& dtype) {
  using py::arg;
  using P = Population<T>;
  py::class_<P>(m, ("Population" + dtype).c_str(), memory_asked_for())
      .def("__init__", constructor(&make_population<T>), py::detail::is_new_style_constructor(), arg("shape"),
           arg("loss"), arg("optimizer"), arg("batch_size"), arg("shuffle"), arg("seeds"), arg("values"),
           arg("l1").none(true), arg("l2").none(true), arg("dropout").none(true), arg("clip_value").none(true),
           arg("fold_of").none(true), arg("training_rows").none(true), arg("validation_rows").none(true))
      .def("run", &run<T>, arg("parameters").noconvert(), arg("active"), arg("training"), arg("validation").none(true),
           arg("until_epoch"), arg("until_step"))
      .def_property_readonly("fallen", &P::fallen)
      .def("set_learning_rate", &P::set_learning_rate, arg("member"), arg("rate"))
      .def("set_training_rows", &set_training_rows<T>, arg("member"), arg("rows"))
      .def("standings", &standings<T>)
      .def("resume", &resume<T>, arg("members"), arg("standings"), arg("epochs"), arg("losses"), arg("validation"))
      .def("epochs", &epochs<T>)
      .def("losses", [](const P& p) { return table_of(p, &EpochLosses::training); })
      .def("validation_losses", [](const P& p) { return table_of(p, &EpochLosses::validation); })
      .def("losses_of_epoch", &losses_of_epoch<T>, arg("epoch"), arg("of_validation"))
      .def("optimizer_state", [](const py::object& self) {
        P& p = self.cast<P&>();
        Buffer<T>& state = p.optimizer_state();
        return py::array_t<T>({p.size(), p.slots() * p.n_parameters()},
                              {p.slots() * p.n_parameters() * sizeof(T), sizeof(T)}, state.data(), self);
      });
  m.def("predict_all", &predict_all<T>, arg("shape"), arg("parameters").noconvert(), arg("x").noconvert());
  m.def("losses_of_all", &losses_of_all<T>, arg("shape"), arg("parameters").noconvert(), arg("samples"), arg("loss"));
  m.def("penalties_of_all", &penalties_of_all<T>, arg("shape"), arg("parameters").noconvert(), arg("l2"));
  m.def("initialize_rows", &initialize_rows<T>, arg("shape"), arg("parameters").noconvert(), arg("layer"), arg("seeds"),
        arg("w"), arg("b"));
}

}  // namespace

void bind_population(py::module_& m) {
  bind_for<float>(m, "Float32");
  bind_for<double>(m, "Float64");
}

}  // namespace backpropc::bindings
