#pragma once

#include <memory>
#include <string>
#include <vector>

namespace railrunner::binding {

// The type of a JavaScript value, as it is read or made. A method's code is run once without values (call.h), and
// what it would read and make is written down here: addon().surface() gives it as lines, and
// test/rules/native-surface compares these with runner/native/types.
struct Shape {
  std::string name;  // of the key or argument; "[]" for the elements of an array
  std::string type;  // "number", "Int32Array", "NativePool", "'read' | 'write'", "object", "array"
  bool isOptional = false;
  bool isNullable = false;
  std::vector<std::unique_ptr<Shape>> keys{};

  // The shape of a key, added where it is new.
  Shape& add(const char* key);
  // Throws kState where the description lacks it: that reading or writing hides behind a condition.
  Shape& find(const char* key);
};

struct MethodShape {
  Shape arguments{.name = "", .type = "arguments"};
  Shape result{.name = "", .type = "void"};
  bool isPromise = false;
};

// "NativePool.check(content.filled): Int32Array | null" and the like, for all that `shape` holds.
void addLines(std::vector<std::string>& lines, const std::string& interface, const std::string& method,
              const MethodShape& shape);

}  // namespace railrunner::binding
