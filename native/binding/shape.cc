#include "binding/shape.h"

#include <algorithm>

#include "core/error.h"

namespace railrunner::binding {

namespace {

std::string typeText(const Shape& shape) { return shape.type + (shape.isNullable ? " | null" : ""); }

// `prefix` ends before the place of a key: "NativePool.check(content".
void addKeys(std::vector<std::string>& lines, const std::string& prefix, const std::string& suffix,
             const Shape& shape) {
  for (const auto& key : shape.keys) {
    const bool isElement = key->name == "[]";
    const std::string path =
        prefix + (isElement || prefix.back() == '(' ? "" : ".") + key->name + (key->isOptional ? "?" : "");
    lines.push_back(path + suffix + ": " + typeText(*key));
    addKeys(lines, path, suffix, *key);
  }
}

}  // namespace

Shape& Shape::add(const char* key) {
  const auto found =
      std::find_if(keys.begin(), keys.end(), [&](const auto& shape) { return shape->name == key; });
  if (found != keys.end()) return **found;
  keys.push_back(std::make_unique<Shape>(Shape{.name = key, .type = "undefined"}));
  return *keys.back();
}

Shape& Shape::find(const char* key) {
  for (const auto& shape : keys) {
    if (shape->name == key) return *shape;
  }
  throw Error(ErrorCode::kState,
              std::string("native surface: `") + key +
                  "` is not in the description of its method, because a condition hides it");
}

void addLines(std::vector<std::string>& lines, const std::string& interface, const std::string& method,
              const MethodShape& shape) {
  const std::string path = interface + "." + method;
  std::string order;
  for (const auto& argument : shape.arguments.keys) order += (order.empty() ? "" : ", ") + argument->name;
  lines.push_back(path + "(" + order + ")");
  addKeys(lines, path + "(", ")", shape.arguments);
  const std::string type = typeText(shape.result);
  const std::string result = path + "()";
  lines.push_back(result + ": " + (shape.isPromise ? "Promise<" + type + ">" : type));
  addKeys(lines, result, "", shape.result);
}

}  // namespace railrunner::binding
