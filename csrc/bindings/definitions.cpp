// The lists of definitions, as Python sees them: everything it knows of an activation, loss, optimizer or initializer.
#include "bindings/bindings.hpp"
#include "math/registry.hpp"

namespace backpropc::bindings {

namespace {

py::object default_of(const Parameter& p) {
  if (p.required) return py::none();
  if (p.is_flag) return py::bool_(p.value != 0.0);
  if (p.n_choices > 0) return py::str(p.choices[static_cast<std::size_t>(p.value)]);
  return py::float_(p.value);
}

py::dict as_dict(const Parameter& p) {
  py::list choices;
  for (std::size_t i = 0; i < p.n_choices; ++i) choices.append(p.choices[i]);
  py::dict entry;
  entry["name"] = p.name;
  entry["is_flag"] = p.is_flag;
  entry["choices"] = py::tuple(choices);
  entry["default"] = default_of(p);
  entry["low"] = p.allowed.low;
  entry["high"] = p.allowed.high;
  entry["low_included"] = p.allowed.low_included;
  entry["high_included"] = p.allowed.high_included;
  return entry;
}

py::dict as_dict(const Description& d) {
  py::list parameters, relations;
  for (std::size_t i = 0; i < d.n_parameters; ++i) parameters.append(as_dict(d.parameters[i]));
  for (std::size_t i = 0; i < d.n_relations; ++i) {
    const Relation& r = d.relations[i];
    relations.append(py::make_tuple(r.kind, r.first, r.second));
  }
  py::dict entry;
  entry["name"] = d.name;
  entry["alias"] = d.alias ? py::object(py::str(d.alias)) : py::object(py::none());
  entry["formula"] = d.formula;
  entry["source"] = d.source;
  entry["parameters"] = py::tuple(parameters);
  entry["relations"] = py::tuple(relations);
  return entry;
}

py::tuple activations() {
  py::list entries;
  for (const ActivationEntry& a : activation_list()) {
    py::dict entry = as_dict(a.description);
    entry["by_row"] = a.by_row;
    entries.append(entry);
  }
  return py::tuple(entries);
}

py::tuple losses() {
  py::list entries;
  for (const LossEntry& l : loss_list()) {
    py::dict entry = as_dict(l.description);
    entry["targets"] = name_of(l.targets);
    entries.append(entry);
  }
  return py::tuple(entries);
}

py::tuple descriptions(const std::vector<Description>& list) {
  py::list entries;
  for (const Description& d : list) entries.append(as_dict(d));
  return py::tuple(entries);
}

Choice choice(std::size_t index, const std::vector<double>& values) {
  require(values.size() <= max_parameters, "too many parameters");
  Choice c;
  c.index = static_cast<int>(index);
  for (std::size_t i = 0; i < values.size(); ++i) c.parameters[i] = values[i];
  return c;
}

// An index into one of the lists; Python resolves names, so that anything else is a slip of ours.
void bind_choice(py::module_& m, const char* name, std::size_t length) {
  m.def(name, [length](std::size_t index, const std::vector<double>& values) {
    require(index < length, "no such definition");
    return choice(index, values);
  });
}

}  // namespace

void bind_definitions(py::module_& m) {
  py::class_<Choice>(m, "Choice", memory_asked_for());
  bind_choice(m, "choose_activation", activation_list().size());
  bind_choice(m, "choose_loss", loss_list().size());
  bind_choice(m, "choose_optimizer", optimizer_list().size());
  bind_choice(m, "choose_initializer", initializer_list().size());
  m.attr("activations") = activations();
  m.attr("losses") = losses();
  m.attr("optimizers") = descriptions(optimizer_list());
  m.attr("initializers") = descriptions(initializer_list());
}

}  // namespace backpropc::bindings
