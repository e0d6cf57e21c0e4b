// The CPU quota of control groups, read from made-up trees of /proc and /sys.
#include "parallel/processors.hpp"

#include <filesystem>
#include <fstream>
#include <string>

#include "check.hpp"

namespace {

namespace fs = std::filesystem;

// A folder that stands for /, for as long as this lives.
class Tree {
 public:
  Tree() : root_(fs::temp_directory_path() / ("backpropc-processors-" + std::to_string(unique()))) {
    fs::create_directories(root_);
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;
  ~Tree() { fs::remove_all(root_); }

  Tree& file(const std::string& path, const std::string& content) {
    const fs::path whole = root_ / path;
    fs::create_directories(whole.parent_path());
    std::ofstream(whole) << content << '\n';
    return *this;
  }
  Tree& group(const std::string& lines) { return file("proc/self/cgroup", lines); }
  Tree& mounts(const std::string& lines) { return file("proc/self/mountinfo", lines); }

  // 0 for none.
  std::size_t quota() const { return backpropc::cpu_quota(root_.string()).value_or(0); }

 private:
  std::size_t unique() const { return reinterpret_cast<std::size_t>(this); }
  fs::path root_;
};

const std::string v2_mount = "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";
const std::string v1_mounts =
    "30 25 0:27 / /sys/fs/cgroup/cpuset rw shared:9 - cgroup cgroup rw,cpuset\n"
    "31 25 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:10 - cgroup cgroup rw,cpu,cpuacct";

struct V2 : Tree {
  explicit V2(const std::string& path = "/a/b") { group("0::" + path).mounts(v2_mount); }
};

struct V1 : Tree {
  explicit V1(const std::string& path) { group("7:cpuset:/other\n4:cpu,cpuacct:" + path + "\n0::/").mounts(v1_mounts); }
  Tree& limit(const std::string& folder, const std::string& quota, const std::string& period) {
    const std::string whole = "sys/fs/cgroup/cpu,cpuacct/" + folder;
    return file(whole + "/cpu.cfs_quota_us", quota).file(whole + "/cpu.cfs_period_us", period);
  }
};

void test_nothing_to_read() {
  check::equal(Tree().quota(), 0u, "an empty tree");
  check::equal(V2().quota(), 0u, "version 2 without a file of quotas");
  check::equal(V1("/a").quota(), 0u, "version 1 without a file of quotas");
  check::equal(Tree().group("0::/a").file("sys/fs/cgroup/a/cpu.max", "100000 100000").quota(), 0u, "no mount");
  check::equal(Tree().mounts(v2_mount).file("sys/fs/cgroup/cpu.max", "100000 100000").quota(), 0u, "no group");
}

void test_version_2() {
  check::equal(V2().file("sys/fs/cgroup/a/b/cpu.max", "200000 100000").quota(), 2u, "a whole number");
  check::equal(V2().file("sys/fs/cgroup/a/b/cpu.max", "200001 100000").quota(), 3u, "rounded up");
  check::equal(V2().file("sys/fs/cgroup/a/b/cpu.max", "1000 100000").quota(), 1u, "at least one");
  check::equal(V2().file("sys/fs/cgroup/a/b/cpu.max", "max 100000").quota(), 0u, "no limit");
  check::equal(V2("/").file("sys/fs/cgroup/cpu.max", "400000 100000").quota(), 4u, "the root of a namespace");
  check::equal(V2().file("sys/fs/cgroup/c/cpu.max", "100000 100000").quota(), 0u, "the group of someone else");
}

void test_the_smallest_counts() {
  V2 tree;
  tree.file("sys/fs/cgroup/a/b/cpu.max", "max 100000").file("sys/fs/cgroup/a/cpu.max", "300000 100000");
  check::equal(tree.quota(), 3u, "the group above");
  tree.file("sys/fs/cgroup/cpu.max", "100000 50000");
  check::equal(tree.quota(), 2u, "the mount point");
  tree.file("sys/fs/cgroup/a/b/cpu.max", "90000 100000");
  check::equal(tree.quota(), 1u, "the group itself");
}

void test_version_1() {
  check::equal(V1("/docker/x").limit("docker/x", "150000", "100000").quota(), 2u, "version 1, rounded up");
  check::equal(V1("/docker/x").limit("docker/x", "-1", "100000").quota(), 0u, "version 1, no limit");
  V1 nested("/docker/x");
  nested.limit("docker/x", "-1", "100000");
  check::equal(nested.limit("docker", "300000", "100000").quota(), 3u, "version 1, the group above");
  check::equal(V1("/").limit("", "500000", "100000").quota(), 5u, "version 1, the root");
  check::equal(V1("/a").file("sys/fs/cgroup/cpuset/a/cpu.cfs_quota_us", "100000").quota(), 0u, "another controller");
}

void test_both_versions() {
  Tree tree;
  tree.group("4:cpu:/a\n0::/b")
      .mounts("32 31 0:29 / /cg/cpu rw - cgroup cgroup rw,cpu\n41 31 0:38 / /cg/v2 rw - cgroup2 c rw");
  tree.file("cg/v2/b/cpu.max", "400000 100000");
  check::equal(tree.quota(), 4u, "version 2 beside version 1");
  tree.file("cg/cpu/a/cpu.cfs_quota_us", "300000").file("cg/cpu/a/cpu.cfs_period_us", "100000");
  check::equal(tree.quota(), 3u, "the smaller of both versions");
}

// What is mounted may be a part of the hierarchy, and the group may lie in another one.
void test_containers() {
  Tree part;
  part.group("0::/docker/x/service").mounts("29 23 0:26 /docker/x /sys/fs/cgroup ro - cgroup2 cgroup rw");
  part.file("sys/fs/cgroup/cpu.max", "300000 100000");
  check::equal(part.quota(), 3u, "the container's group at the mount point");
  part.file("sys/fs/cgroup/service/cpu.max", "200000 100000");
  check::equal(part.quota(), 2u, "a group within the container's");
  part.group("0::/docker/xyz").file("sys/fs/cgroup/yz/cpu.max", "100000 100000");
  check::equal(part.quota(), 3u, "a group whose name only begins like the container's");

  V2 outside("/../elsewhere");
  outside.file("sys/fs/cgroup/cpu.max", "300000 100000").file("sys/fs/elsewhere/cpu.max", "100000 100000");
  check::equal(outside.quota(), 3u, "a group outside the namespace");

  Tree spaces;
  spaces.group("0::/my group:1").mounts("29 23 0:26 / /sys/control\\040groups rw - cgroup2 cgroup rw");
  spaces.file("sys/control groups/my group:1/cpu.max", "600000 100000");
  check::equal(spaces.quota(), 6u, "a space in the mount point, a colon in the group");
}

void test_malformed() {
  for (const char* content : {"", "100000", "abc def", "-5 100000", "0 100000", "100000 0", "100000 -1", "max",
                              "99999999999999999999999 100000", "\xff\xfe"})
    check::equal(V2().file("sys/fs/cgroup/a/b/cpu.max", content).quota(), 0u, content);
  for (const char* lines : {"", "garbage", "0:", "0:/a", ":::", "x::/a/b", "1:memory:/a/b"})
    check::equal(V2().group(lines).file("sys/fs/cgroup/a/b/cpu.max", "100000 100000").quota(), 0u, lines);
  for (const char* lines : {"", "-", "a b c - cgroup2 x y", "29 23 0:26 / /sys/fs/cgroup rw - cgroup2",
                            "29 23 0:26 / /sys/fs/cgroup rw cgroup2 cgroup2 rw"})
    check::equal(V2().mounts(lines).file("sys/fs/cgroup/a/b/cpu.max", "100000 100000").quota(), 0u, lines);
  V2 relative("a/b");
  check::equal(relative.file("sys/fs/cgroup/cpu.max", "200000 100000").quota(), 2u, "a group without its slash");
}

}  // namespace

int main() {
  test_nothing_to_read();
  test_version_2();
  test_the_smallest_counts();
  test_version_1();
  test_both_versions();
  test_containers();
  test_malformed();
  check::that(backpropc::usable_processors() >= 1, "there is a processor");
  return check::result();
}
