#include "tests/worker/model/second_device.h"

#include <ATen/ATen.h>
#include <ATen/EmptyTensor.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/DeviceType.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <c10/core/impl/alloc_cpu.h>
#include <torch/library.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace emend::test {

at::Device SecondDevice() { return {at::kPrivateUse1, 0}; }

namespace {

class HostAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    void* const data = c10::alloc_cpu(bytes);
    return {data, data, &c10::free_cpu, SecondDevice()};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &c10::free_cpu; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }
};
HostAllocator allocator;

using Type = std::optional<at::ScalarType>;
using Layout = std::optional<at::Layout>;
using Device = std::optional<at::Device>;
using Flag = std::optional<bool>;
constexpr c10::DispatchKeySet kKeys(c10::DispatchKey::PrivateUse1);

at::Tensor Empty(at::IntArrayRef sizes, Type type, Layout, Device, Flag,
                 std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(sizes, &allocator, kKeys, type.value_or(at::kFloat), format);
}
at::Tensor EmptyStrided(at::IntArrayRef sizes, at::IntArrayRef strides, Type type, Layout, Device,
                        Flag) {
  return at::detail::empty_strided_generic(sizes, strides, &allocator, kKeys,
                                           type.value_or(at::kFloat));
}

// The same memory, for the CPU's kernels.
at::Tensor HostOf(const at::Tensor& tensor) {
  if (tensor.is_cpu()) return tensor;
  return at::from_blob(
      tensor.data_ptr(), tensor.sizes(), tensor.strides(), [kept = tensor](void*) {},
      at::TensorOptions(tensor.scalar_type()));
}

at::Tensor CopyFrom(const at::Tensor& from, const at::Tensor& to, bool) {
  HostOf(to).copy_(HostOf(from));
  return to;
}

// One call: its tensors of the device as the CPU sees them, and back.
class Call {
 public:
  explicit Call(const c10::OperatorHandle& op) : op_(op) {}

  void Run(torch::jit::Stack* stack) {
    const std::size_t arguments = op_.schema().arguments().size();
    for (std::size_t i = 0; i < arguments; ++i)
      ToHost((*stack)[stack->size() - arguments + i], op_.schema().arguments()[i].is_out());
    op_.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), stack);
    const std::size_t results = op_.schema().returns().size();
    for (std::size_t i = stack->size() - results; i < stack->size(); ++i) ToDevice((*stack)[i]);
  }

 private:
  at::Tensor ToHost(const at::Tensor& tensor, bool is_out = false) {
    if (!tensor.defined()) return tensor;
    // Borrowed memory cannot grow.
    if (is_out && tensor.numel() == 0)
      return lent_.emplace_back(tensor, at::empty({0}, tensor.scalar_type())).second;
    if (tensor.is_cpu()) {
      TORCH_CHECK(tensor.dim() == 0, toString(op_.operator_name()),
                  ": a tensor of the CPU among those of the second device");
      return tensor;
    }
    return lent_.emplace_back(tensor, HostOf(tensor)).second;
  }

  void ToHost(c10::IValue& value, bool is_out) {
    if (value.isTensor()) {
      value = ToHost(value.toTensor(), is_out);
    } else if (value.isTensorList()) {
      std::vector<at::Tensor> host;
      for (const at::Tensor& tensor : value.toTensorVector()) host.push_back(ToHost(tensor));
      value = c10::IValue(host);
    } else if (value.isOptionalTensorList()) {  // indices
      c10::List<std::optional<at::Tensor>> host;
      for (const std::optional<at::Tensor>& tensor : value.toOptionalTensorVector())
        host.push_back(tensor ? std::optional(HostOf(*tensor)) : std::nullopt);
      value = c10::IValue(std::move(host));
    } else if (value.isDevice()) {
      value = at::Device(at::kCPU);
    }
  }

  static at::Tensor CopyOf(const at::Tensor& host) {
    at::Tensor device = at::detail::empty_strided_generic(host.sizes(), host.strides(), &allocator,
                                                          kKeys, host.scalar_type());
    HostOf(device).copy_(host);
    return device;
  }

  // What an operation in place, or into an output, returns is what it was given.
  at::Tensor ToDevice(const at::Tensor& host) {
    if (!host.defined()) return host;
    for (const auto& [device, lent] : lent_) {
      if (!lent.is_same(host)) continue;
      if (device.numel() == host.numel()) return device;
      const at::Tensor grown = CopyOf(host);
      device.unsafeGetTensorImpl()->set_storage_keep_dtype(grown.storage());
      device.unsafeGetTensorImpl()->set_sizes_and_strides(grown.sizes(), grown.strides());
      return device;
    }
    return CopyOf(host);
  }

  void ToDevice(c10::IValue& value) {
    if (value.isTensor()) {
      value = ToDevice(value.toTensor());
    } else if (value.isTensorList()) {
      std::vector<at::Tensor> device;
      for (const at::Tensor& tensor : value.toTensorVector()) device.push_back(ToDevice(tensor));
      value = c10::IValue(device);
    }
  }

  const c10::OperatorHandle& op_;
  std::vector<std::pair<at::Tensor, at::Tensor>> lent_;
};

void RunOnHost(const c10::OperatorHandle& op, torch::jit::Stack* stack) { Call(op).Run(stack); }

// One device with one stream, on which everything is done at once.
struct Guard : c10::impl::NoOpDeviceGuardImpl<at::kPrivateUse1> {
  c10::Device exchangeDevice(c10::Device) const override { return SecondDevice(); }
  c10::Device getDevice() const override { return SecondDevice(); }
  c10::Stream getStream(c10::Device) const noexcept override {
    return c10::Stream(c10::Stream::DEFAULT, SecondDevice());
  }
  c10::Stream getDefaultStream(c10::Device) const override {
    return c10::Stream(c10::Stream::DEFAULT, SecondDevice());
  }
  c10::Stream exchangeStream(c10::Stream) const noexcept override {
    return c10::Stream(c10::Stream::DEFAULT, SecondDevice());
  }
  void record(void**, const c10::Stream&, const c10::DeviceIndex,
              const c10::EventFlag) const override {}
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
};
C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard);

struct Hooks final : at::PrivateUse1HooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
};

[[maybe_unused]] const bool registered = [] {
  static Hooks hooks;
  c10::register_privateuse1_backend("second");
  at::RegisterPrivateUse1HooksInterface(&hooks);
  return true;
}();

}  // namespace

TORCH_LIBRARY_IMPL(_, PrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&RunOnHost>());
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("empty.memory_format", &Empty);
  library.impl("empty_strided", &EmptyStrided);
  library.impl("_copy_from", &CopyFrom);
  library.impl("as_strided", &at::native::as_strided_tensorimpl);
  library.impl("view", &at::native::view);
}

}  // namespace emend::test
