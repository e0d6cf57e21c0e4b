// Where the caller, not the trainer, goes through the data: batch by batch, or by a method of its own.
#include <cstring>

#include "training/trainer.hpp"

namespace backpropc {

template <class T>
double Trainer<T>::learn(const Samples<T>& batch, Numbers numbers) {
  const typename Network<T>::Changing changing(*network_);
  const BatchLoss loss = take_step(batch, numbers);
  if (samples_ != unknown) position_ = 0;  // an epoch begun on an array ends here
  samples_ = unknown;
  if (position_ == 0) epoch_loss_ = epoch_weight_ = 0.0;
  epoch_loss_ += loss.mean * loss.weight;
  epoch_weight_ += loss.weight;
  position_ += batch.n;
  return loss.mean;
}

template <class T>
void Trainer<T>::adopt(const T* parameters) {
  const typename Network<T>::Changing changing(*network_);
  std::memcpy(network_->parameters(), parameters, network_->n_parameters() * sizeof(T));
  count_steps(1);
}

template <class T>
void Trainer<T>::adopt_epoch(const T* parameters, double loss, double validation_loss) {
  make_room_for_epoch();
  adopt(parameters);
  epoch_loss_ = loss;
  epoch_weight_ = 1.0;
  complete_epoch(validation_loss);
}

#define BPC_INSTANTIATE(T)                                       \
  template double Trainer<T>::learn(const Samples<T>&, Numbers); \
  template void Trainer<T>::adopt(const T*);                     \
  template void Trainer<T>::adopt_epoch(const T*, double, double);

BPC_INSTANTIATE(float)
BPC_INSTANTIATE(double)

}  // namespace backpropc
