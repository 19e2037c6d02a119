//! A component that holds bytes and gives them out by name: `sekisho:bundle/data` of `wit/bundle/bundle.wit`, written by
//! hand.
//!
//! The bytes are one passive data segment, of which each answer copies what it needs. So an instance costs what it reads,
//! however large the set is, and its memory, which a runtime wipes after each request, is that of the largest answer.

use wasm_encoder::{
    Alias, BlockType, CanonicalFunctionSection, CanonicalOption, CodeSection, Component,
    ComponentAliasSection, ComponentExportKind, ComponentExportSection, ComponentInstanceSection,
    ComponentTypeSection, ComponentValType, DataCountSection, DataSection, ExportKind,
    ExportSection, Function, FunctionSection, InstanceSection, InstructionSink, MemArg,
    MemorySection, MemoryType, Module, ModuleSection, PrimitiveValType, TypeSection, ValType,
};

use super::{Baked, BuildError};

const PAGE: u64 = 64 * 1024;
/// Where an answer is told: a place and a length.
const ANSWER: i32 = 0;
/// Where its bytes come to lie, and before them what is looked through.
const SCRATCH: i32 = 16;
/// Two numbers, where the bytes begin, how many they are.
const ENTRY: usize = 24;
/// More than this is no edge that holds all it serves.
const MOST: usize = 1024 * 1024 * 1024;

const POINTER: u32 = 0;
const FIND: u32 = 1;

/// The component that holds a set.
pub(super) fn data_component(set: &Baked) -> Result<Vec<u8>, BuildError> {
    let laid = Laid::new(set)?;
    let mut component = Component::new();
    component.section(&ModuleSection(&laid.module()));
    let mut instances = InstanceSection::new();
    let none: [(&str, wasm_encoder::ModuleArg); 0] = [];
    instances.instantiate(0, none);
    component.section(&instances);

    let mut aliases = ComponentAliasSection::new();
    for (kind, name) in [
        (ExportKind::Memory, "memory"),
        (ExportKind::Func, "pointer"),
        (ExportKind::Func, "find"),
    ] {
        aliases.alias(Alias::CoreInstanceExport {
            instance: 0,
            kind,
            name,
        });
    }
    component.section(&aliases);

    let mut types = ComponentTypeSection::new();
    types.defined_type().list(PrimitiveValType::U8);
    let bytes = Some(ComponentValType::Type(0));
    let number = PrimitiveValType::U64;
    types
        .function()
        .params::<[(&str, PrimitiveValType); 0], _>([])
        .result(bytes);
    types
        .function()
        .params([("high", number), ("low", number)])
        .result(bytes);
    component.section(&types);

    let mut lifted = CanonicalFunctionSection::new();
    lifted.lift(POINTER, 1, [CanonicalOption::Memory(0)]);
    lifted.lift(FIND, 2, [CanonicalOption::Memory(0)]);
    component.section(&lifted);

    let mut interface = ComponentInstanceSection::new();
    interface.export_items([
        ("pointer", ComponentExportKind::Func, POINTER),
        ("find", ComponentExportKind::Func, FIND),
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

/// The segment: how many entries stand before each bucket, the entries by ascending name, the pointer, the bytes. Little
/// endian, as the functions load them.
struct Laid {
    segment: Vec<u8>,
    /// How many bits of a name tell its bucket: about four names are in one.
    bits: u32,
    entries: usize,
    pointer: (usize, usize),
    /// Most bytes that are copied at once.
    room: usize,
}

impl Laid {
    fn new(set: &Baked) -> Result<Self, BuildError> {
        let bits = (set.named.len() / 4).max(2).ilog2();
        let mut before = vec![0u32; (1 << bits) + 1];
        for [high, _] in set.named.keys() {
            let bucket = (high >> (64 - bits)) as usize;
            // One more than there are buckets: the last is the sum of all.
            if let Some(count) = before.get_mut(bucket + 1) {
                *count += 1;
            }
        }
        let fullest = before.iter().max().copied().unwrap_or_default() as usize;
        let mut sum = 0;
        for count in &mut before {
            sum += *count;
            *count = sum;
        }
        let entries = before.len() * 4;
        let pointer = entries + set.named.len() * ENTRY;
        let bytes = pointer + set.pointer.len();
        let size = bytes + set.named.values().map(Vec::len).sum::<usize>();
        if size > MOST {
            return Err(BuildError::TooLarge { size, most: MOST });
        }
        let mut segment = Vec::with_capacity(size);
        segment.extend(before.into_iter().flat_map(u32::to_le_bytes));
        let mut at = bytes;
        for ([high, low], bytes) in &set.named {
            segment.extend(high.to_le_bytes());
            segment.extend(low.to_le_bytes());
            // Below `MOST`, hence below 2^32.
            segment.extend((at as u32).to_le_bytes());
            segment.extend((bytes.len() as u32).to_le_bytes());
            at += bytes.len();
        }
        segment.extend_from_slice(&set.pointer);
        segment.extend(set.named.values().flatten());
        let longest = set.named.values().map(Vec::len).max().unwrap_or_default();
        Ok(Self {
            segment,
            bits,
            entries,
            pointer: (pointer, set.pointer.len()),
            room: longest.max(set.pointer.len()).max(fullest * ENTRY),
        })
    }

    fn module(&self) -> Module {
        let mut types = TypeSection::new();
        types.ty().function([], [ValType::I32]);
        types
            .ty()
            .function([ValType::I64, ValType::I64], [ValType::I32]);
        let mut functions = FunctionSection::new();
        functions.function(0).function(1);
        let mut memories = MemorySection::new();
        let pages = (self.room as u64 + u64::from(SCRATCH.unsigned_abs())).div_ceil(PAGE);
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
            .export("pointer", ExportKind::Func, POINTER)
            .export("find", ExportKind::Func, FIND);
        let mut code = CodeSection::new();
        code.function(&self.pointer_function());
        code.function(&self.find_function());
        let mut data = DataSection::new();
        data.passive(self.segment.iter().copied());
        let mut module = Module::new();
        module
            .section(&types)
            .section(&functions)
            .section(&memories)
            .section(&exports)
            .section(&DataCountSection { count: 1 })
            .section(&code)
            .section(&data);
        module
    }

    fn pointer_function(&self) -> Function {
        let (at, length) = self.pointer;
        let mut function = Function::new([]);
        let mut code = function.instructions();
        code.i32_const(SCRATCH)
            .i32_const(at as i32)
            .i32_const(length as i32)
            .memory_init(0, 0)
            .i32_const(ANSWER)
            .i32_const(length as i32)
            .i32_store(at_offset(4, 2));
        told(&mut code);
        function
    }

    /// Looks through the bucket of a name and copies what is found; a length of 0 if nothing is.
    fn find_function(&self) -> Function {
        const HIGH: u32 = 0;
        const LOW: u32 = 1;
        /// First the number of entries before, then where the next one lies.
        const NEXT: u32 = 2;
        const END: u32 = 3;
        let mut function = Function::new([(2, ValType::I32)]);
        let mut code = function.instructions();
        // Nothing is found yet.
        code.i32_const(ANSWER)
            .i32_const(0)
            .i32_store(at_offset(4, 2))
            // Two neighbours of the first table.
            .i32_const(SCRATCH)
            .local_get(HIGH)
            .i64_const(i64::from(64 - self.bits))
            .i64_shr_u()
            .i32_wrap_i64()
            .i32_const(4)
            .i32_mul()
            .i32_const(8)
            .memory_init(0, 0)
            .i32_const(SCRATCH)
            .i32_load(at_offset(0, 2))
            .local_set(NEXT)
            .i32_const(SCRATCH)
            .i32_load(at_offset(4, 2))
            .local_get(NEXT)
            .i32_sub()
            .i32_const(ENTRY as i32)
            .i32_mul()
            .local_set(END)
            // The entries between them.
            .i32_const(SCRATCH)
            .local_get(NEXT)
            .i32_const(ENTRY as i32)
            .i32_mul()
            .i32_const(self.entries as i32)
            .i32_add()
            .local_get(END)
            .memory_init(0, 0)
            .i32_const(SCRATCH)
            .local_tee(NEXT)
            .local_get(END)
            .i32_add()
            .local_set(END)
            .block(BlockType::Empty)
            .loop_(BlockType::Empty)
            .local_get(NEXT)
            .local_get(END)
            .i32_ge_u()
            .br_if(1)
            .local_get(NEXT)
            .i64_load(at_offset(0, 3))
            .local_get(HIGH)
            .i64_eq()
            .local_get(NEXT)
            .i64_load(at_offset(8, 3))
            .local_get(LOW)
            .i64_eq()
            .i32_and()
            .if_(BlockType::Empty)
            .i32_const(ANSWER)
            .local_get(NEXT)
            .i32_load(at_offset(20, 2))
            .i32_store(at_offset(4, 2))
            // What is looked through lies where the bytes come to lie: its numbers are taken first.
            .i32_const(SCRATCH)
            .local_get(NEXT)
            .i32_load(at_offset(16, 2))
            .local_get(NEXT)
            .i32_load(at_offset(20, 2))
            .memory_init(0, 0)
            .br(2)
            .end()
            .local_get(NEXT)
            .i32_const(ENTRY as i32)
            .i32_add()
            .local_set(NEXT)
            .br(0)
            .end()
            .end();
        told(&mut code);
        function
    }
}

/// Ends a function: the caller's runtime copies the bytes from where the answer says.
fn told(code: &mut InstructionSink<'_>) {
    code.i32_const(ANSWER)
        .i32_const(SCRATCH)
        .i32_store(at_offset(0, 2))
        .i32_const(ANSWER)
        .end();
}

const fn at_offset(offset: u64, align: u32) -> MemArg {
    MemArg {
        offset,
        align,
        memory_index: 0,
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::{
        Engine, Store,
        component::{Component, Linker},
    };

    use super::*;

    /// Answers of the component that holds these.
    fn ask(set: &Baked, names: &[[u64; 2]]) -> (Vec<u8>, Vec<Vec<u8>>) {
        let engine = Engine::default();
        let component = Component::new(&engine, data_component(set).unwrap()).unwrap();
        let mut store = Store::new(&engine, ());
        let linker = Linker::new(&engine);
        let instance = linker.instantiate(&mut store, &component).unwrap();
        let data = "sekisho:bundle/data@0.1.0";
        let data = instance.get_export_index(&mut store, None, data).unwrap();
        let mut function = |name| {
            let index = instance.get_export_index(&mut store, Some(&data), name);
            index.unwrap()
        };
        let (pointer, find) = (function("pointer"), function("find"));
        let pointer = instance.get_typed_func::<(), (Vec<u8>,)>(&mut store, pointer);
        let find = instance.get_typed_func::<(u64, u64), (Vec<u8>,)>(&mut store, find);
        let (pointer, find) = (pointer.unwrap(), find.unwrap());
        let found = names.iter().map(|[high, low]| {
            let (found,) = find.call(&mut store, (*high, *low)).unwrap();
            found
        });
        let found = found.collect();
        let (pointer,) = pointer.call(&mut store, ()).unwrap();
        (pointer, found)
    }

    #[test]
    fn what_was_put_in_is_found_and_nothing_else() {
        for count in [0, 1, 2, 3, 5, 50, 1000] {
            let mut set = Baked {
                pointer: b"pointer".to_vec(),
                ..Baked::default()
            };
            let mut absent = vec![[0, 1], [u64::MAX, 0]];
            for n in 0..count {
                // Spread, and some of them in one bucket with equal first numbers; lengths of more than a page.
                let high = (n / 2_u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let bytes = n.to_be_bytes().repeat(1 + (n % 97) as usize * 100);
                set.named.insert([high, n], bytes);
                absent.push([high, n + count]);
            }
            set.named.insert([0, 0], b"first".to_vec());
            set.named.insert([u64::MAX, u64::MAX], b"last".to_vec());
            let names: Vec<[u64; 2]> = set.named.keys().copied().collect();
            let (pointer, found) = ask(&set, &names);
            assert_eq!(pointer, b"pointer");
            assert!(found.iter().eq(set.named.values()), "of {count}");
            absent.retain(|name| !set.named.contains_key(name));
            let (_, found) = ask(&set, &absent);
            assert!(found.iter().all(Vec::is_empty), "of {count}");
        }
    }
}
