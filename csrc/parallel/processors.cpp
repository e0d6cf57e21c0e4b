// Affinity from the kernel, quotas from the files of control groups (cgroups(7), proc_pid_mountinfo(5), the kernel's
// cgroup-v2.rst and sched-bwc.rst).
#include "parallel/processors.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>

#include <cerrno>
#endif

namespace backpropc {

namespace {

std::size_t affinity_count() {
#if defined(__linux__)
  // The kernel refuses a set smaller than its own; each of these holds 1024 processors.
  for (std::size_t sets = 1; sets <= 1024; sets *= 2) {
    std::vector<cpu_set_t> allowed(sets);
    const std::size_t bytes = sets * sizeof(cpu_set_t);
    if (sched_getaffinity(0, bytes, allowed.data()) == 0)
      return static_cast<std::size_t>(CPU_COUNT_S(bytes, allowed.data()));
    if (errno != EINVAL) break;
  }
#endif
  return std::thread::hardware_concurrency();
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

bool lists(const std::string& names, const std::string& wanted) {
  const std::vector<std::string> all = split(names, ',');
  return std::find(all.begin(), all.end(), wanted) != all.end();
}

// A path in mountinfo has its spaces and backslashes as octal numbers: \040.
std::string unescaped(const std::string& path) {
  const auto octal = [](char c) { return c >= '0' && c <= '7'; };
  std::string plain;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '\\' && i + 3 < path.size() && octal(path[i + 1]) && octal(path[i + 2]) && octal(path[i + 3])) {
      plain += static_cast<char>((path[i + 1] - '0') * 64 + (path[i + 2] - '0') * 8 + (path[i + 3] - '0'));
      i += 3;
    } else {
      plain += path[i];
    }
  }
  return plain;
}

enum class Version { v1, v2 };

// The process's group within the hierarchy, from a line "4:cpu,cpuacct:/path" or, of version 2, "0::/path".
std::optional<std::string> group_of_process(const std::string& root, Version version) {
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (version == Version::v2 ? line.compare(0, first, "0") == 0 && controllers.empty() : lists(controllers, "cpu"))
      return line.substr(second + 1);
  }
  return std::nullopt;
}

struct Mount {
  std::string group;  // the group of the hierarchy that is seen at `point`
  std::string point;
};

// From a line "31 23 0:28 GROUP POINT rw,relatime shared:9 - TYPE source OPTIONS".
std::optional<Mount> mount_of_hierarchy(const std::string& root, Version version) {
  std::ifstream file(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> fields = split(line, ' ');
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (dash - fields.begin() < 6 || fields.end() - dash < 4) continue;
    if (version == Version::v2 ? dash[1] == "cgroup2" : dash[1] == "cgroup" && lists(dash[3], "cpu"))
      return Mount{unescaped(fields[3]), unescaped(fields[4])};
  }
  return std::nullopt;
}

// The way from the mount point down to the group: "" or "/a/b". A container may see only its own part of the hierarchy,
// or none of the way to a group outside of it; then the mount point is all there is to ask.
std::string way_below(const Mount& mount, const std::string& group) {
  const std::string seen = mount.group == "/" ? "" : mount.group;
  const bool within =
      group.compare(0, seen.size(), seen) == 0 && (group.size() == seen.size() || group[seen.size()] == '/');
  const std::string way = within ? group.substr(seen.size()) : "";
  return way == "/" || way.find("/..") != std::string::npos ? "" : way;
}

// "QUOTA PERIOD" in microseconds; "max" or −1 for a quota is none.
std::optional<std::size_t> rounded_up(const std::string& quota_and_period) {
  std::istringstream numbers(quota_and_period);
  long long quota = 0, period = 0;
  if (!(numbers >> quota >> period) || quota <= 0 || period <= 0) return std::nullopt;
  return static_cast<std::size_t>(quota / period + (quota % period != 0));
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::optional<std::size_t> quota_of_group(const std::string& folder, Version version) {
  if (version == Version::v2) return rounded_up(first_line(folder + "/cpu.max"));
  return rounded_up(first_line(folder + "/cpu.cfs_quota_us") + ' ' + first_line(folder + "/cpu.cfs_period_us"));
}

std::optional<std::size_t> smallest_quota(const std::string& root, Version version) {
  const std::optional<std::string> group = group_of_process(root, version);
  const std::optional<Mount> mount = mount_of_hierarchy(root, version);
  if (!group || !mount) return std::nullopt;
  const std::string top = root + mount->point;
  std::optional<std::size_t> smallest;
  for (std::string way = way_below(*mount, *group);; way.erase(way.rfind('/'))) {
    const std::optional<std::size_t> quota = quota_of_group(top + way, version);
    if (quota && (!smallest || *quota < *smallest)) smallest = quota;
    if (way.empty()) return smallest;
  }
}

}  // namespace

std::optional<std::size_t> cpu_quota(const std::string& root) {
  const std::optional<std::size_t> v1 = smallest_quota(root, Version::v1), v2 = smallest_quota(root, Version::v2);
  return v1 && v2 ? std::min(*v1, *v2) : v1 ? v1 : v2;
}

std::size_t usable_processors() {
  const std::size_t allowed = std::max<std::size_t>(affinity_count(), 1);
  return std::min(allowed, cpu_quota().value_or(allowed));
}

}  // namespace backpropc
