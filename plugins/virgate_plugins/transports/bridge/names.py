"""What JSON-RPC clients call the parameters of verbs, and in which order they may give them.

Each line has a method's parameters in the order that its verb takes them; a dash is one that no JSON client gives.
A parameter beyond the line, and every parameter of a method that has no line, is called as the verb calls it, but for
`OWN`.
"""

from attrs import frozen

from virgate.api.verb import Verb

OWN = {
    "vm": "vmID",
    "pool": "storagepoolID",
    "domain": "storagedomainID",
    "image": "imageID",
    "volume": "volumeID",
    "task": "taskID",
    "options": "-",
}
"""How verbs call what has a name of its own on the wire."""

IDENTITY = {
    "VM": ("vmID",),
    "Task": ("taskID",),
    "StoragePool": ("storagepoolID",),
    "StorageDomain": ("storagedomainID",),
    "Image": ("imageID", "storagepoolID", "storagedomainID"),
    "Volume": ("volumeID", "storagepoolID", "storagedomainID", "imageID"),
    "LVMVolumeGroup": ("lvmvolumegroupID",),
}
"""What names the object of a class; comes first, in this order, when parameters are given by position."""

FOLDED = {
    "VM.create": "vmParams",
    "VM.hotplugDisk": "params",
    "VM.hotunplugDisk": "params",
    "VM.hotplugMemory": "params",
    "VM.hotunplugMemory": "params",
    "VM.hotplugNic": "params",
    "VM.hotunplugNic": "params",
    "VM.migrate": "params",
    "VM.migrationCreate": "params",
    "VM.updateVmPolicy": "params",
}
"""Verbs that find the machine's id inside this struct, while clients give `vmID` beside it."""

_LINES = """
VM.create               vmParams
VM.destroy              vmID gracefulAttempts
VM.shutdown             vmID delay message reboot timeout force
VM.hibernate            vmID hibernationVolHandle
VM.migrate              params
VM.migrationCreate      params incomingLimit
VM.migrateChangeParams  vmID migrationParams
VM.refresh_disk         vmID vol_pdiv
VM.changeCD             vmID driveSpec
VM.changeFloppy         vmID driveSpec
VM.hotplugDisk          params
VM.hotunplugDisk        params
VM.hotplugNic           params
VM.hotunplugNic         params
VM.hotplugMemory        params
VM.hotunplugMemory      params
VM.hotplugLease         vmID lease
VM.hotunplugLease       vmID lease
VM.setNumberOfCpus      vmID numberOfCpus cpusets
VM.updateDevice         vmID params
VM.setTicket            vmID password ttl existingConnAction params
VM.setBalloonTarget     vmID target
VM.updateVmPolicy       params
VM.setIoTune            vmID tunables
VM.setCpuTuneQuota      vmID quota
VM.setCpuTunePeriod     vmID period
VM.snapshot             vmID snapDrives snapMemory frozen jobUUID timeout freezeTimeout
VM.merge                vmID drive baseVolUUID topVolUUID bandwidth jobUUID
VM.diskReplicateStart   vmID srcDisk dstDisk needExtend
VM.diskReplicateFinish  vmID srcDisk dstDisk
VM.diskSizeExtend       vmID driveSpecs newSize
VM.getDiskAlignment     vmID disk
VM.monitorCommand       vmID command
VM.sendkeys             vmID keySequence
VM.desktopLogin         vmID domain username password
VM.desktopLogoff        vmID force
VM.desktopSendHcCommand vmID message
VM.hostdevHotplug       vmID devices
VM.hostdevHotunplug     vmID devices
Host.fenceNode          addr port agent username password action secure options policy
Host.setLogLevel        level name
Host.setMOMPolicy       policy
Host.setMOMPolicyParameters key_value_store
Host.setKsmTune         tuningParams
Host.setHaMaintenanceMode mode enabled
Host.hostdevListByCaps  caps
Host.hostdevChangeNumvfs deviceName numvfs
Host.hostdevReattach    deviceName
Host.registerSecrets    secrets clear
Host.unregisterSecrets  uuids
Host.getExternalVMs     uri username password vm_names
Host.getExternalVMNames uri username password
Host.getExternalVmFromOva ova_path
Host.convertExternalVm  uri username password vminfo jobid
Host.convertExternalVmFromOva ova_path vminfo jobid
Host.getConvertedVm     jobid
Host.abortV2VJob        jobid
Host.deleteV2VJob       jobid
Host.setupNetworks      networks bondings options
Host.getJobs            job_type job_ids
Host.getDeviceList      storageType guids checkStatus
Host.getDeviceInfo      guid
Host.getDevicesVisibility guidList
Host.getLVMVolumeGroups storageType
Host.getStorageDomains  storagepoolID domainClass storageType remotePath
Host.startMonitoringDomain sdUUID hostID
Host.stopMonitoringDomain sdUUID
StoragePool.connectStorageServer domainType storagepoolID connectionParams
StoragePool.disconnectStorageServer domainType storagepoolID connectionParams
StoragePool.create      - storagepoolID name masterSdUUID domainList masterVersion - lockRenewalIntervalSec \
leaseTimeSec ioOpTimeoutSec leaseRetries
StoragePool.reconstructMaster storagepoolID name masterSdUUID domainDict masterVersion - lockRenewalIntervalSec \
leaseTimeSec ioOpTimeoutSec leaseRetries hostId
StoragePool.connect     storagepoolID hostID scsiKey masterSdUUID masterVersion domainDict
StoragePool.disconnect  storagepoolID hostID scsiKey remove
StoragePool.refresh     storagepoolID masterSdUUID masterVersion
StoragePool.destroy     storagepoolID hostID scsiKey
StoragePool.setDescription storagepoolID description
StoragePool.upgrade     storagepoolID targetDomVersion
StoragePool.spmStart    storagepoolID prevID prevLver - enableScsiFencing maxHostID domVersion
StoragePool.fence       storagepoolID lastOwner lastLver
StoragePool.getIsoList  storagepoolID filenameExtension
StoragePool.getDomainsContainingImage storagepoolID imageID
StoragePool.moveMultipleImages storagepoolID srcDomUUID dstDomUUID imgDict - force
StoragePool.prepareMerge storagepoolID subchainInfo
StoragePool.finalizeMerge storagepoolID subchainInfo
StoragePool.reduceVolume storagepoolID storagedomainID imageID volumeID allowActive
StoragePool.updateVMs   storagepoolID vmList storagedomainID
StoragePool.removeVM    storagepoolID vmUUID storagedomainID
StoragePool.getBackedUpVmsList storagepoolID storagedomainID
StoragePool.getBackedUpVmsInfo storagepoolID storagedomainID vmList
StorageDomain.create    domainType storagedomainID name typeArgs domainClass version - blockSize maxHosts
StorageDomain.detach    storagedomainID storagepoolID masterSdUUID masterVersion
StorageDomain.deactivate storagedomainID storagepoolID masterSdUUID masterVersion
StorageDomain.format    storagedomainID autoDetach
StorageDomain.setDescription storagedomainID description
StorageDomain.getFileStats storagedomainID pattern caseSensitive
StorageDomain.extend    storagedomainID storagepoolID devlist force
StorageDomain.resizePV  storagedomainID storagepoolID guid
StorageDomain.moveDevice storagedomainID srcGuid dstGuids
StorageDomain.reduce    storagedomainID guid
LVMVolumeGroup.create   name devlist force
LVMVolumeGroup.getInfo  lvmvolumegroupID
LVMVolumeGroup.remove   lvmvolumegroupID
Volume.create           storagedomainID storagepoolID imageID size volFormat preallocate diskType volumeID desc \
srcImgUUID srcVolUUID initialSize addBitmaps legal sequence bitmap
Volume.copy             storagedomainID storagepoolID - imageID volumeID dstImgUUID dstVolUUID desc dstSdUUID volType \
volFormat preallocate postZero force
Volume.extendSize       storagepoolID storagedomainID imageID volumeID newSize
Volume.extend           storagedomainID storagepoolID imageID volumeID size isShuttingDown
Volume.setSize          storagedomainID storagepoolID imageID volumeID newSize
Volume.setDescription   storagedomainID storagepoolID imageID volumeID description
Volume.setLegality      storagedomainID storagepoolID imageID volumeID legality
Volume.measure          volumeID storagepoolID storagedomainID imageID dstVolFormat backing
Image.delete            storagedomainID storagepoolID imageID postZero force discard
Image.deleteVolumes     storagedomainID storagepoolID imageID volumeList postZero force discard
Image.move              storagepoolID storagedomainID dstSdUUID imageID - operation postZero force discard
Image.cloneStructure    storagepoolID storagedomainID imageID dstSdUUID
Image.syncData          storagepoolID storagedomainID imageID dstSdUUID syncType
Image.mergeSnapshots    storagedomainID storagepoolID - imageID ancestor successor postZero
Image.reconcileVolumeChain storagepoolID storagedomainID imageID leafVolID
Image.upload            methodInfo storagepoolID storagedomainID imageID volumeID
Image.download          methodInfo storagepoolID storagedomainID imageID volumeID
Image.sparsify          storagepoolID storagedomainID imageID tmpVolUUID dstSdUUID dstImgUUID dstVolUUID
ConnectionRefs.acquire  conRefArgs
ConnectionRefs.release  refIDs
SDM.copy_data           job_id source destination copy_bitmaps
SDM.amend_volume        job_id vol_info qcow2_attr
SDM.sparsify_volume     job_id vol_info
SDM.update_volume       job_id vol_info vol_attr
SDM.merge               job_id subchain_info merge_bitmaps
SDM.add_bitmap          job_id vol_info bitmap
SDM.remove_bitmap       job_id vol_info bitmap
SDM.clear_bitmaps       job_id vol_info
NBD.start_server        server_id config
NBD.stop_server         server_id
Lease.create            lease metadata
Lease.rebuild_leases    sdUUID
"""
KNOWN = {method: names for method, *names in (line.split() for line in _LINES.strip().splitlines())}


@frozen
class Given:
    """A parameter as JSON clients give it: its name and its place in the verb's order."""

    name: str
    place: int
    required: bool


def given(found: Verb) -> tuple[Given, ...]:
    """What clients give, in the order of positions. A verb's own "any" may be left out: the schema often says so."""
    known = KNOWN.get(found.name, [])
    named = []
    for place, parameter in enumerate(found.parameters):
        name = known[place] if place < len(known) else OWN.get(parameter.name, parameter.name)
        if name != "-":
            named.append(Given(name, place, parameter.required and parameter.kind != "any"))
    if found.name in FOLDED:
        named.append(Given("vmID", -1, False))
    first = IDENTITY.get(found.name.partition(".")[0], ())
    return tuple(sorted(named, key=lambda one: first.index(one.name) if one.name in first else len(first)))
