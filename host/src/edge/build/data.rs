//! A component that holds bytes and gives them out: `sekisho:bundle/data` of `wit/bundle/bundle.wit`, written by hand.
//!
//! The bytes are one data segment. A runtime maps it and copies none of it before it is touched, so an instance costs
//! what it reads, however large the set is.

use wasm_encoder::{
    Alias, CanonicalFunctionSection, CanonicalOption, CodeSection, Component,
    ComponentAliasSection, ComponentExportKind, ComponentExportSection, ComponentInstanceSection,
    ComponentTypeSection, ConstExpr, DataSection, ExportKind, ExportSection, Function,
    FunctionSection, InstanceSection, MemArg, MemorySection, MemoryType, Module, ModuleSection,
    PrimitiveValType, TypeSection, ValType,
};

use super::BuildError;

const PAGE: u64 = 64 * 1024;
/// Where what `read` answers is told: a place and a length. The bytes follow.
const ANSWER: i32 = 0;
const BYTES: i32 = 16;
/// More than this is no edge that holds all it serves.
const MOST: usize = 1024 * 1024 * 1024;

const SIZE: u32 = 0;
const READ: u32 = 1;

/// The component that holds these bytes.
pub(super) fn data_component(bytes: &[u8]) -> Result<Vec<u8>, BuildError> {
    let too_large = BuildError::TooLarge {
        size: bytes.len(),
        most: MOST,
    };
    let size = i32::try_from(bytes.len())
        .ok()
        .filter(|_| bytes.len() <= MOST)
        .ok_or(too_large)?;
    let mut component = Component::new();
    component.section(&ModuleSection(&module(bytes, size)));
    let mut instances = InstanceSection::new();
    let none: [(&str, wasm_encoder::ModuleArg); 0] = [];
    instances.instantiate(0, none);
    component.section(&instances);

    let mut aliases = ComponentAliasSection::new();
    for (kind, name) in [
        (ExportKind::Memory, "memory"),
        (ExportKind::Func, "size"),
        (ExportKind::Func, "read"),
    ] {
        aliases.alias(Alias::CoreInstanceExport {
            instance: 0,
            kind,
            name,
        });
    }
    component.section(&aliases);

    let mut types = ComponentTypeSection::new();
    types
        .function()
        .params::<[(&str, PrimitiveValType); 0], _>([])
        .result(Some(PrimitiveValType::U32.into()));
    types.defined_type().list(PrimitiveValType::U8);
    types
        .function()
        .params([
            ("offset", PrimitiveValType::U32),
            ("length", PrimitiveValType::U32),
        ])
        .result(Some(wasm_encoder::ComponentValType::Type(1)));
    component.section(&types);

    let mut lifted = CanonicalFunctionSection::new();
    lifted.lift(SIZE, 0, []);
    lifted.lift(READ, 2, [CanonicalOption::Memory(0)]);
    component.section(&lifted);

    let mut interface = ComponentInstanceSection::new();
    interface.export_items([
        ("size", ComponentExportKind::Func, SIZE),
        ("read", ComponentExportKind::Func, READ),
    ]);
    component.section(&interface);

    let mut exports = ComponentExportSection::new();
    exports.export(
        "sekisho:bundle/data@0.1.0",
        ComponentExportKind::Instance,
        0,
        None,
    );
    component.section(&exports);
    Ok(component.finish())
}

fn module(bytes: &[u8], size: i32) -> Module {
    let mut types = TypeSection::new();
    types.ty().function([], [ValType::I32]);
    types
        .ty()
        .function([ValType::I32, ValType::I32], [ValType::I32]);
    let mut functions = FunctionSection::new();
    functions.function(0).function(1);
    let mut memories = MemorySection::new();
    let pages = (bytes.len() as u64 + u64::from(BYTES.unsigned_abs())).div_ceil(PAGE);
    memories.memory(MemoryType {
        minimum: pages,
        maximum: Some(pages),
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut exports = ExportSection::new();
    exports
        .export("memory", ExportKind::Memory, 0)
        .export("size", ExportKind::Func, SIZE)
        .export("read", ExportKind::Func, READ);
    let mut code = CodeSection::new();
    code.function(&size_function(size));
    code.function(&read_function(size));
    let mut data = DataSection::new();
    data.active(0, &ConstExpr::i32_const(BYTES), bytes.iter().copied());
    let mut module = Module::new();
    module
        .section(&types)
        .section(&functions)
        .section(&memories)
        .section(&exports)
        .section(&code)
        .section(&data);
    module
}

fn size_function(size: i32) -> Function {
    let mut function = Function::new([]);
    function.instructions().i32_const(size).end();
    function
}

/// Tells where the bytes lie; the caller's runtime copies them from there. What is not there ends the instance.
fn read_function(size: i32) -> Function {
    const OFFSET: u32 = 0;
    const LENGTH: u32 = 1;
    let at = |offset| MemArg {
        offset,
        align: 2,
        memory_index: 0,
    };
    let mut function = Function::new([]);
    function
        .instructions()
        // offset > size, or length > size - offset: nothing can wrap around.
        .local_get(OFFSET)
        .i32_const(size)
        .i32_gt_u()
        .local_get(LENGTH)
        .i32_const(size)
        .local_get(OFFSET)
        .i32_sub()
        .i32_gt_u()
        .i32_or()
        .if_(wasm_encoder::BlockType::Empty)
        .unreachable()
        .end()
        .i32_const(ANSWER)
        .local_get(OFFSET)
        .i32_const(BYTES)
        .i32_add()
        .i32_store(at(0))
        .i32_const(ANSWER)
        .local_get(LENGTH)
        .i32_store(at(4))
        .i32_const(ANSWER)
        .end();
    function
}
