#include "training/population.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <memory>
#include <numeric>
#include <tuple>

#include "core/float_mode.hpp"
#include "core/philox.hpp"
#include "training/dropout.hpp"

namespace backpropc {

namespace {

// How many steps the blocks take between two questions whether to stop: so many as take some ten milliseconds, for other
// threads come late where the processors are busy.
class Stretch {
 public:
  std::size_t steps() const { return steps_; }
  template <class F>
  void take(F f) {
    const auto begin = Clock::now();
    f();
    const auto taken = Clock::now() - begin;
    if (taken < shortest) steps_ *= 2;
    if (taken > 4 * shortest) steps_ = std::max<std::size_t>(steps_ / 2, 1);
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds shortest{8};
  std::size_t steps_ = 1;
};

// Room for so many numbers, twice what there was where there is none, so that many short runs do not copy all of them in each.
void reserve_more(std::vector<double>& numbers, std::size_t n) {
  if (n > numbers.capacity()) numbers.reserve(std::max(n, 2 * numbers.capacity()));
}

template <class T>
LaneSamples<T> in_lanes(const Samples<T>& samples) {
  return {samples.n, samples.x, samples.t.rows, samples.t.classes, samples.weight, nullptr};
}

}  // namespace

// Members side by side that stand at the same step, in memory of their own.
template <class T>
class Population<T>::Block {
 public:
  Block(Population& population, std::size_t width);

  // Takes in so many members; the other lanes idle.
  void load(const std::size_t* members, std::size_t n, const Samples<T>& training);
  // Gives the members back, but for those that have fallen.
  void save();
  // Sets aside what advance() of so many steps needs.
  void make_room(std::size_t steps, bool validates);
  // Trains for about so many steps, or to the end; at_end() tells.
  void advance(const Samples<T>& training, const Samples<T>* validation, const typename Trainer<T>::End& end,
               std::size_t steps) noexcept;
  bool at_end(const typename Trainer<T>::End& end) const;
  const std::vector<std::size_t>& fallen() const { return fallen_; }

 private:
  const MemberSettings& settings(std::size_t lane) const { return population_.settings_.members[members_[lane]]; }
  Member& member(std::size_t lane) const { return population_.members_[members_[lane]]; }
  bool any_live() const;
  bool is_live(std::size_t lane) const { return live_[lane] != 0; }
  template <class F>
  void for_each_live(F f) {
    for (std::size_t lane = 0; lane < members_.size(); ++lane)
      if (is_live(lane)) f(lane);
  }
  T* take(std::size_t rows) { return take_from(memory_, rows); }
  template <class Number>
  Number* take_from(std::vector<Buffer<Number>>& memory, std::size_t rows) {
    memory.emplace_back(rows * width_);
    return memory.back().data();
  }
  void place_layers();
  void take_settings();
  const Fold& fold(std::size_t lane) const { return population_.settings_.folds[settings(lane).fold]; }
  bool has_order() const { return population_.settings_.shuffle || population_.has_folds(); }
  void draw_order(std::size_t n);
  void choose_validation();
  LaneSamples<T> validation_samples(const Samples<T>& validation) const;
  void draw_masks(std::size_t n);
  template <class F>
  void for_each_number_of(std::size_t lane, F f);
  void run_steps(const Samples<T>& training, std::size_t steps);
  void check_parameters();
  void leave_fallen();
  void end_epoch(const Samples<T>* validation);
  void stand(std::size_t lane);

  Population& population_;
  const std::size_t width_, batch_;
  std::vector<std::size_t> members_;             // of the first lanes
  std::vector<LaneLayer<T>> layers_, unmasked_;  // these for samples that nothing is left out of
  std::vector<Buffer<T>> memory_;
  std::vector<Buffer<double>> doubles_;
  std::vector<ParameterValues> optimizer_;
  std::vector<double*> l1_, l2_;
  double* clip_value_ = nullptr;
  std::vector<char> live_;
  T* minus_rate_ = nullptr;
  std::vector<std::size_t> drawn_;                  // one member's order
  Buffer<T> drawn_mask_;                            // and mask
  Buffer<std::uint32_t> order_, validation_order_;  // (samples, width)
  LaneRun<T> run_{};
  std::uint64_t epoch_ = 0, step_count_ = 0;
  std::size_t samples_ = 0, position_ = 0;
  std::vector<std::size_t> fallen_;
  std::vector<double> losses_, validation_losses_;  // every lane's, of each epoch since load(); of no validation, none
};

template <class T>
Population<T>::Block::Block(Population& population, std::size_t width)
    : population_(population), width_(width), batch_(population.batch_), optimizer_(width) {
  const std::size_t n_parameters = population.n_parameters_;
  run_.units = width / lane_unit<T>;
  run_.n_parameters = n_parameters;
  run_.n_layers = population.shape_.layers().size();
  run_.lowest = population.shape_.first_trainable();
  run_.batch = batch_;
  run_.loss = population.settings_.loss.index;
  run_.loss_of_z = has_stable_form(population.shape_, population.settings_.loss);
  run_.loss_parameters = &population.settings_.loss.parameters;
  run_.optimizer = population.settings_.optimizer;
  run_.optimizer_parameters = optimizer_.data();
  run_.parameters = take(n_parameters);
  if (!population.plain_) run_.gradient = take(n_parameters);
  run_.state = take(population.slots_ * n_parameters);
  run_.check = take(1);
  run_.minus_rate = minus_rate_ = take(1);
  run_.values = take(population.shape_.fan_out());
  run_.x = take(batch_ * population.shape_.fan_in());
  run_.t = take(batch_ * population.shape_.fan_out());
  run_.sample_loss = take(batch_);
  run_.share = take(batch_);
  for (double** row : {&run_.former_loss, &run_.epoch_loss, &run_.epoch_weight, &run_.batch_loss, &run_.batch_weight,
                       &run_.penalized_loss})
    *row = take_from(doubles_, 1);
  live_.resize(width);
  run_.step_count = &step_count_;
  place_layers();
}

template <class T>
void Population<T>::Block::place_layers() {
  const Network<T>& shape = population_.shape_;
  const Regularization& r = population_.settings_.members.front().regularization;
  if (r.clip_value < infinity) run_.clip_value = clip_value_ = take_from(doubles_, 1);
  for (std::size_t l = 0; l < shape.layers().size(); ++l) {
    const Layer& layer = shape.layers()[l];
    LaneLayer<T> o{};
    o.fan_in = layer.fan_in;
    o.fan_out = layer.fan_out;
    o.offset = layer.w;
    o.a = take(batch_ * layer.fan_out);
    const bool reads_z = derivative_reads_z<T>(layer.activation) || (run_.loss_of_z && l + 1 == shape.layers().size());
    o.z = reads_z ? take(batch_ * layer.fan_out) : o.a;
    o.delta = take(batch_ * layer.fan_out);
    if (r.drops_out()) {
      drawn_mask_.reserve(batch_ * layer.fan_in);
      o.mask = take(batch_ * layer.fan_in);
      o.masked = take(batch_ * layer.fan_in);
    }
    if (r.penalizes()) {
      l1_.push_back(take_from(doubles_, 1));
      l2_.push_back(take_from(doubles_, 1));
      o.l1 = l1_.back();
      o.l2 = l2_.back();
    }
    o.trainable = layer.trainable;
    o.activation = layer.activation.index;
    o.activation_parameters = &layer.activation.parameters;
    layers_.push_back(o);
  }
  run_.layers = layers_.data();
  unmasked_ = layers_;
  for (LaneLayer<T>& layer : unmasked_) layer.mask = nullptr;
}

// f(a number in the lane, the same number at home), for parameters and the optimizer's state.
template <class T>
template <class F>
void Population<T>::Block::for_each_number_of(std::size_t lane, F f) {
  constexpr std::size_t U = lane_unit<T>;
  const std::size_t n = population_.n_parameters_, slots = population_.slots_, m = members_[lane];
  const std::size_t at = lane / U * n * U + lane % U;
  for (std::size_t p = 0; p < n; ++p) f(run_.parameters[at + p * U], population_.parameters_[m * n + p]);
  for (std::size_t slot = 0; slot < slots; ++slot)
    for (std::size_t p = 0; p < n; ++p)
      f(run_.state[slot * n * width_ + at + p * U], population_.state_[(m * slots + slot) * n + p]);
}

template <class T>
void Population<T>::Block::load(const std::size_t* members, std::size_t n, const Samples<T>& training) {
  members_.assign(members, members + n);
  fallen_.clear();
  losses_.clear();
  validation_losses_.clear();
  const Standing& standing = member(0).standing;
  epoch_ = member(0).epoch();
  step_count_ = standing.step_count;
  samples_ = population_.samples_in(training);
  position_ = standing.samples == samples_ ? standing.position : 0;
  for (std::size_t lane = 0; lane < width_; ++lane) {
    live_[lane] = static_cast<char>(lane < n);
    run_.check[lane] = T(0);
    if (lane >= n) continue;
    const Standing& own = member(lane).standing;
    run_.epoch_loss[lane] = own.epoch_loss;
    run_.epoch_weight[lane] = own.epoch_weight;
    run_.former_loss[lane] = own.former_loss;
    for_each_number_of(lane, [](T& in_lane, T at_home) { in_lane = at_home; });
  }
  take_settings();
  if (position_ > 0 && has_order()) draw_order(samples_);
  choose_validation();
}

template <class T>
void Population<T>::Block::take_settings() {
  for (std::size_t lane = 0; lane < width_; ++lane) {
    const MemberSettings& own = settings(lane < members_.size() ? lane : 0);
    optimizer_[lane] = own.optimizer;
    minus_rate_[lane] = -static_cast<T>(own.optimizer[0]);
    if (clip_value_ != nullptr) clip_value_[lane] = own.regularization.clip_value;
    for (std::size_t l = 0; l < l1_.size(); ++l) {
      l1_[l][lane] = own.regularization.l1_of(l);
      l2_[l][lane] = own.regularization.l2_of(l);
    }
  }
}

template <class T>
void Population<T>::Block::save() {
  check_parameters();
  leave_fallen();
  for_each_live([&](std::size_t lane) {
    stand(lane);
    for_each_number_of(lane, [](T in_lane, T& at_home) { at_home = in_lane; });
  });
}

// What the member has come to, and the losses of the epochs since load().
template <class T>
void Population<T>::Block::stand(std::size_t lane) {
  EpochLosses& losses = member(lane).losses;
  const std::size_t before = losses.training.size(), epochs = before + losses_.size() / width_;
  const bool validated = !validation_losses_.empty();
  reserve_more(losses.training, epochs);
  if (validated) reserve_more(losses.validation, epochs);
  const auto add = [&](std::vector<double>& to, const std::vector<double>& of_lanes) {
    to.resize(before, std::nan(""));
    for (std::size_t at = lane; at < of_lanes.size(); at += width_) to.push_back(of_lanes[at]);
  };
  add(losses.training, losses_);
  if (validated) add(losses.validation, validation_losses_);
  member(lane).standing = {step_count_,           samples_, position_, run_.epoch_loss[lane], run_.epoch_weight[lane],
                           run_.former_loss[lane]};
}

template <class T>
bool Population<T>::Block::any_live() const {
  return std::any_of(live_.begin(), live_.end(), [](char live) { return live != 0; });
}

template <class T>
bool Population<T>::Block::at_end(const typename Trainer<T>::End& end) const {
  return !any_live() || epoch_ >= end.epoch || step_count_ >= end.step;
}

template <class T>
void Population<T>::Block::draw_order(std::size_t n) {
  order_.reserve(n * width_);
  drawn_.resize(n);
  std::fill_n(order_.data(), n * width_, 0);
  for_each_live([&](std::size_t lane) {
    if (population_.settings_.shuffle)
      shuffled_order(settings(lane).seed, epoch_, n, drawn_.data());
    else
      std::iota(drawn_.begin(), drawn_.end(), 0);
    const std::uint32_t* const rows = population_.has_folds() ? fold(lane).training.data() : nullptr;
    for (std::size_t i = 0; i < n; ++i)
      order_[i * width_ + lane] = rows ? rows[drawn_[i]] : static_cast<std::uint32_t>(drawn_[i]);
  });
}

template <class T>
void Population<T>::Block::choose_validation() {
  if (!population_.validates_on_folds()) return;
  const std::size_t n = population_.settings_.folds.front().validation.size();
  validation_order_.reserve(n * width_);
  std::fill_n(validation_order_.data(), n * width_, 0);
  for_each_live([&](std::size_t lane) {
    for (std::size_t i = 0; i < n; ++i) validation_order_[i * width_ + lane] = fold(lane).validation[i];
  });
}

template <class T>
LaneSamples<T> Population<T>::Block::validation_samples(const Samples<T>& validation) const {
  LaneSamples<T> samples = in_lanes(validation);
  if (population_.validates_on_folds()) {
    samples.n = population_.settings_.folds.front().validation.size();
    samples.order = validation_order_.data();
  }
  return samples;
}

template <class T>
void Population<T>::Block::draw_masks(std::size_t n) {
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const std::size_t fan_in = layers_[l].fan_in, size = n * fan_in;
    T* const mask = const_cast<T*>(layers_[l].mask);
    for_each_live([&](std::size_t lane) {
      const double rate = settings(lane).regularization.dropout[l];
      draw_mask(settings(lane).seed, step_count_, l, rate, n, fan_in, drawn_mask_.data());
      for (std::size_t i = 0; i < size; ++i)
        mask[(lane / lane_unit<T> * size + i) * lane_unit<T> + lane % lane_unit<T>] = drawn_mask_[i];
    });
  }
}

template <class T>
void Population<T>::Block::make_room(std::size_t steps, bool validates) {
  const std::size_t in_epoch = (samples_ + batch_ - 1) / batch_, epochs = steps / in_epoch + 2;
  reserve_more(losses_, losses_.size() + epochs * width_);
  if (validates) reserve_more(validation_losses_, losses_.capacity());
  fallen_.reserve(members_.size());
  if (!has_order()) return;
  order_.reserve(samples_ * width_);
  drawn_.reserve(samples_);
}

template <class T>
void Population<T>::Block::advance(const Samples<T>& training, const Samples<T>* validation,
                                   const typename Trainer<T>::End& end, std::size_t steps) noexcept {
  const FloatMode mode;
  while (steps > 0 && !at_end(end)) {
    if (position_ == 0) {
      std::fill_n(run_.epoch_loss, width_, 0.0);
      std::fill_n(run_.epoch_weight, width_, 0.0);
      if (has_order()) draw_order(samples_);
    }
    const std::size_t left = (samples_ - position_ + batch_ - 1) / batch_;
    const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(std::min(left, steps), end.step - step_count_));
    run_steps(training, now);
    steps -= now;
    if (position_ == samples_) end_epoch(validation);
  }
  leave_fallen();
}

// So many steps of this epoch. Masks are drawn for one at a time.
template <class T>
void Population<T>::Block::run_steps(const Samples<T>& training, std::size_t steps) {
  const bool ordered = has_order(), masked = layers_.front().mask != nullptr;
  const std::size_t k = population_.shape_.fan_in(), m = population_.shape_.fan_out();
  while (steps > 0) {
    LaneSamples<T> rest = in_lanes(training);
    rest.n = samples_ - position_;
    if (ordered) {
      rest.order = order_.data() + position_ * width_;
    } else {
      rest.x += position_ * k;
      if (rest.t != nullptr) rest.t += position_ * m;
      if (rest.classes != nullptr) rest.classes += position_;
      if (rest.weight != nullptr) rest.weight += position_;
    }
    if (masked) draw_masks(std::min(batch_, rest.n));
    run_.n_steps = masked ? 1 : steps;
    const LaneKernels<T>& lanes = *kernels<T>().lanes;
    const bool online = batch_ == 1 && population_.plain_ && !masked && training.weight == nullptr;
    (online ? lanes.online_steps[run_.loss] : lanes.steps)(run_, rest);
    position_ = std::min(position_ + run_.n_steps * batch_, samples_);
    steps -= run_.n_steps;
  }
}

// A parameter that is not finite remains so, in whatever steps follow.
template <class T>
void Population<T>::Block::check_parameters() {
  constexpr std::size_t U = lane_unit<T>;
  const T* p = run_.parameters;
  for (T* check = run_.check; check != run_.check + width_; check += U)
    for (std::size_t i = 0; i < population_.n_parameters_; ++i, p += U)
      for (std::size_t lane = 0; lane < U; ++lane) check[lane] += p[lane] * T(0);
}

template <class T>
void Population<T>::Block::leave_fallen() {
  for_each_live([&](std::size_t lane) {
    if (run_.check[lane] == T(0)) return;
    fallen_.push_back(members_[lane]);
    live_[lane] = 0;
  });
}

template <class T>
void Population<T>::Block::end_epoch(const Samples<T>* validation) {
  const auto add_epoch = [this](std::vector<double>& losses) {
    losses.resize(losses.size() + width_);
    return &losses[losses.size() - width_];
  };
  if (validation != nullptr) {
    LaneRun<T> run = run_;
    run.layers = unmasked_.data();
    const LaneSamples<T> samples = validation_samples(*validation);
    kernels<T>().lanes->mean_loss(run, samples, evaluation_rows(population_.shape_, samples.n),
                                  add_epoch(validation_losses_));
  }
  double* const losses = add_epoch(losses_);
  for (std::size_t lane = 0; lane < width_; ++lane) losses[lane] = run_.epoch_loss[lane] / run_.epoch_weight[lane];
  position_ = 0;
  ++epoch_;
}

// --- the population -------------------------------------------------------------------------------------------------------

template <class T>
Population<T>::Population(const Network<T>& shape, PopulationSettings settings)
    : shape_(shape),
      settings_(std::move(settings)),
      n_parameters_(shape.n_parameters()),
      members_(settings_.members.size()) {
  const OptimizerKernels<T>& optimizer = kernels<T>().optimizers[settings_.optimizer];
  const MemberSettings& first = settings_.members.front();
  slots_ = static_cast<std::size_t>(optimizer.slots(first.optimizer));
  plain_ = optimizer.plain(first.optimizer) && !first.regularization.penalizes() && !first.regularization.clips();
  state_ = Buffer<T>(size() * slots_ * n_parameters_);
}

template <class T>
void Population<T>::resume(std::size_t member, const Standing& standing, EpochLosses losses) {
  members_[member] = {standing, std::move(losses)};
}

// As many lanes as the second cache holds, but enough blocks for the threads.
template <class T>
std::size_t Population<T>::width_for(std::size_t n_active) const {
  constexpr std::size_t unit = lane_unit<T>, most = 4 * unit, cache = 256 * 1024;
  std::size_t units = 0;
  for (const Layer& layer : shape_.layers()) units += layer.fan_out;
  const std::size_t per_lane =
      sizeof(T) * (n_parameters_ * (1 + slots_ + (plain_ ? 0 : 1)) + batch_ * (shape_.fan_in() + 3 * units));
  const std::size_t share = (n_active + num_threads() - 1) / num_threads();
  const std::size_t wanted = std::min({most, cache / per_lane, share});
  return std::max<std::size_t>((std::min(wanted + unit - 1, most)) / unit, 1) * unit;
}

template <class T>
void Population<T>::run(T* parameters, const std::vector<std::size_t>& active, const Samples<T>& training,
                        const Samples<T>* validation, const typename Trainer<T>::End& end, const Stop& stop) {
  parameters_ = parameters;
  std::vector<std::size_t> queue = active;
  fallen_.reserve(fallen_.size() + queue.size());
  const auto place = [&](std::size_t m) {
    const Standing& s = members_[m].standing;
    return std::tuple(members_[m].epoch(), s.step_count, s.samples == samples_in(training) ? s.position : 0);
  };
  std::sort(queue.begin(), queue.end(),
            [&](std::size_t a, std::size_t b) { return std::pair(place(a), a) < std::pair(place(b), b); });
  batch_ = std::min(settings_.batch_size, samples_in(training));
  const std::size_t width = width_for(queue.size()), at_a_time = 2 * num_threads();
  std::vector<std::unique_ptr<Block>> blocks;
  bool stopped = false;
  for (std::size_t next = 0; next < queue.size() && !stopped;) {
    Stretch stretch;  // a new one: room is made for its steps, and those here may be fewer than those before
    std::size_t n_blocks = 0;
    for (; n_blocks < at_a_time && next < queue.size(); ++n_blocks) {
      std::size_t n = 1;
      while (n < width && next + n < queue.size() && place(queue[next + n]) == place(queue[next])) ++n;
      if (blocks.size() == n_blocks) blocks.push_back(std::make_unique<Block>(*this, width));
      blocks[n_blocks]->load(&queue[next], n, training);
      next += n;
    }
    const auto all_at_end = [&] {
      return std::all_of(blocks.begin(), blocks.begin() + static_cast<std::ptrdiff_t>(n_blocks),
                         [&](const auto& block) { return block->at_end(end); });
    };
    while (!all_at_end() && !stopped) {
      for (std::size_t i = 0; i < n_blocks; ++i) blocks[i]->make_room(stretch.steps(), validation != nullptr);
      stretch.take([&] {
        parallel_for(n_blocks,
                     [&](std::size_t i) noexcept { blocks[i]->advance(training, validation, end, stretch.steps()); });
      });
      stopped = stop();
    }
    for (std::size_t i = 0; i < n_blocks; ++i) {
      blocks[i]->save();
      fallen_.insert(fallen_.end(), blocks[i]->fallen().begin(), blocks[i]->fallen().end());
    }
  }
}

template class Population<float>;
template class Population<double>;

}  // namespace backpropc
