"""The base and its experts on disk, and the arithmetic that composes them. In the order in which data flow:

model_folder         the files of a model lie in its folder: links elsewhere are refused
safetensors_header   the header of a file, read and checked before anything else
safetensors_files    tensors in safetensors files, read one at a time, with fingerprints
own_code             Python code beside a model, which is never run
libraries            what other libraries raise about a file, in one line
base_tokenizer       the base's tokenizer and config as transformers reads them
architecture         the model that config.json describes, built without weights
loader_names         where transformers' loader puts each tensor of the files in the live model
updates              what an expert does to one parameter: LowRank, Delta or Replacement
module_patterns      rank_pattern and alpha_pattern, matched within a time limit
adapter_config       adapter_config.json, checked
adapter_names        what the names of an adapter's tensors mean
dora                 the weight that DoRA makes
lora                 PEFT adapters as updates
fused_factors        factors of the fused experts of a mixture, as updates of single tensors
quantisation         whether a checkpoint is quantised
quantised_base       a base that is, with adapters beside its codes
checkpoint           a whole checkpoint, opened as transformers loads it
saved_copies         copies of embeddings and head in an adapter
adapter_reader       an adapter's folder opened and checked
recorded_base        the base that an adapter records, compared with the one given
tied_adapters        adapters of a base whose head is its embedding
pruning              one update pruned by itself, as mergekit does it
joint_preparation    signs elected among experts, entries shared
preparations         mergekit's preparations as settings
sparsify             updates trimmed, dropped at random, prepared or truncated to a rank
expert               the base, and an expert: its updates, shapes and ranks by parameter
expert_checks        parameters and shapes that an expert must share with the base
fit_names            experts' tensors, named as the base's files name them
config_check         a checkpoint's architecture is the base's
tokenizer_check      the expert's tokenizer is the base's
prepared_together    experts that are prepared together, bound to one another
path_models          what acts on logits alone: pairs of models, control layers
catalog              base and experts opened together and checked against each other
svd_error            what truncation loses, in a note for the user
parameter_groups     parameters that share coefficients
merge                one parameter: the plan of a weighted sum, computed block by block
merge_compiled       the same plan as one compiled kernel, for many full tensors
parallel             blocks spread over the cores
merge_model          all parameters of a recipe, in memory or from disk
module_factors       one module: all experts' LoRA factors made one pair, in place
composed_adapter     a recipe over adapters as one adapter
safetensors_writer   tensors written to a file one at a time
alignment_vectors    aligned minus base, written as an expert

May import: core and torch; transformers for configs, architectures and tokenizers. Must never hold: an engine or a
device of its own choice, a search, randomness without a fixed seed, weights of a model in memory. The same recipe gives
the same bits here, in every engine and in every export.
"""
