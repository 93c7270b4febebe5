"""What users do, said once: the command line, recipes, notebooks and Python call these.

One file a verb, with a function of the same name. Data comes first, `out` before the settings; a path or the object
that lies there will do everywhere; the artefact's reader is returned; notes go to the logger `rankdistill` (see
`rankdistill.notes`); a wrong name or type is a `ConfigError`.
"""
