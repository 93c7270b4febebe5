"""What lies under a folder, and what made it: manifests name what they were made from by hashes of its content.

`found` finds artefacts, `keys` says which hashes stand for one and which ones it asks for, `named` which folders it
names, `atlas` joins them (for a publication too), `lineage` follows what it joined,
`telling` says in a few words what an artefact is, `drawing` draws.
"""
