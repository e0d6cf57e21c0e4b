// How many processors this process may use.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace backpropc {

// Those its affinity names, and no more than its cgroup pays for. At least 1.
std::size_t usable_processors();

// The processors that the CPU quota of the process's cgroup pays for, rounded up: the smallest quota from that group up
// to the root of its hierarchy, of version 1 or 2. None where nothing limits it, or nothing can be read. `root` stands
// before the paths of the files read.
std::optional<std::size_t> cpu_quota(const std::string& root = "");

}  // namespace backpropc
