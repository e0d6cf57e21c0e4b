// What methods that take all samples in each step are built of: E, its gradient, and the normal equations of a sum of
// squares. All are of E = Σ wᵢEᵢ / Σ wᵢ, the samples' weights being 1 where there are none.
#pragma once

#include "training/trainer.hpp"

namespace backpropc {

// E.
template <class T>
double whole_loss(const Network<T>& network, const Choice& loss, const Samples<T>& samples, const Stop& stop);

// E and its gradient, laid out as the parameters are, those of frozen layers too.
template <class T>
double whole_gradient(const Network<T>& network, const Choice& loss, const Samples<T>& samples, T* into,
                      const Stop& stop);

// How many parameters the layers that learn have.
template <class T>
std::size_t n_learning(const Network<T>& network);

// For Eᵢ = ½ factor Σⱼ (aᵢⱼ − tᵢⱼ)², the sum of squares E = ½ Σ rᵢⱼ² of the residuals rᵢⱼ = √(factor wᵢ / Σ w) (aᵢⱼ − tᵢⱼ).
// With J = ∂r/∂parameters of the layers that learn, a row for each residual, it adds
//     JᵀJ  Jᵀr
//          rᵀr
// to the matrix, which is square, of n_learning() + 1 rows, and symmetric afterwards: its lower triangle is written over.
// J itself exists a few rows at a time. The matrix is float64 whatever T is, each element one chain of fused multiply-adds
// in the order of samples and outputs.
template <class T>
void add_normal_equations(const Network<T>& network, const Choice& loss, double factor, const Samples<T>& samples,
                          double* matrix, const Stop& stop);

}  // namespace backpropc
