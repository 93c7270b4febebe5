"""What users do, said once: the command line, recipes, notebooks and Python call these.

One file a verb, with a function of the same name. Data comes first, `out` before the settings; a path or the object
that lies there will do everywhere; the artefact's reader is returned; notes go to the logger `rankdistill` (see
`rankdistill.notes`); a wrong name or type is a `ConfigError`.

The verbs, along the flow:
    data (several: `pydocs`, `fetch`, `convert`, `check`, `trec_qrels`), queries, rewrite;
    open, status, artefacts, lineage, verify;
    mine, teach, score, plan, embed, import_scores, export, check, ensemble;
    train, inherit, token_table, bundle;
    index, search, serve, push;
    evaluate, rerank, fuse, compare, fidelity, verdict, robustness, sparsity, ann_recall, explain, publish.

What they share is no verb:
    contract, wording: the promise that names and types are checked, and its errors;
    arguments, parameters: what verbs take, and how it is opened;
    systems, runs, towers, weighing, engine_systems, server_systems, endpoint_systems, of_tasks: what is evaluated;
    side_by_side: systems that `compare` evaluates itself;
    conversations: what `convert` makes of conversations;
    turns, reading_turns: questions of conversations as queries, and what reads them how;
    training_on_sessions, training_on_stored: how `train` learns from conversations;
    judged_elsewhere: what of them must not be trained on;
    lengths, clipping: notes on models;
    differing: what two artefacts that should be the same differ in;
    settings, looking: what recipes need to know before they call a verb, and what choosing one needs.
"""
