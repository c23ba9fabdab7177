#pragma once

#include <cstdint>

#include "binding/napi_setup.h"

namespace railrunner::binding {

// The typed array of JavaScript that holds elements of T.
template <class T>
struct TypedArrayOf;
template <>
struct TypedArrayOf<uint8_t> {
  static constexpr const char* kName = "Uint8Array";
  static constexpr napi_typedarray_type kType = napi_uint8_array;
};
template <>
struct TypedArrayOf<uint16_t> {
  static constexpr const char* kName = "Uint16Array";
  static constexpr napi_typedarray_type kType = napi_uint16_array;
};
template <>
struct TypedArrayOf<int32_t> {
  static constexpr const char* kName = "Int32Array";
  static constexpr napi_typedarray_type kType = napi_int32_array;
};
template <>
struct TypedArrayOf<uint32_t> {
  static constexpr const char* kName = "Uint32Array";
  static constexpr napi_typedarray_type kType = napi_uint32_array;
};
template <>
struct TypedArrayOf<uint64_t> {
  static constexpr const char* kName = "BigUint64Array";
  static constexpr napi_typedarray_type kType = napi_biguint64_array;
};
template <>
struct TypedArrayOf<float> {
  static constexpr const char* kName = "Float32Array";
  static constexpr napi_typedarray_type kType = napi_float32_array;
};
template <>
struct TypedArrayOf<double> {
  static constexpr const char* kName = "Float64Array";
  static constexpr napi_typedarray_type kType = napi_float64_array;
};

}  // namespace railrunner::binding
